using Xunit;

namespace Registry.Sdk.Registry.Tests;

/// <summary>Tests that measure what the process allocates: nothing else may run beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneTests
{
    public const string Name = "Alone";
}
