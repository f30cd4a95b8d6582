using System.Reflection;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>Names the facts of the wire-facts sheet that a test holds the emulator against: section number, then the fact in short.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class WireFactAttribute(params string[] facts) : Attribute
{
    public IReadOnlyList<string> Facts { get; } = facts;
}
