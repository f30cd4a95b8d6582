namespace Registry.Sdk.Core.Primitives;

/// <summary>How bad a <see cref="Diagnostic"/> is.</summary>
public enum Severity
{
    /// <summary>The build goes on; <c>NoWarn</c> silences it and warnings-as-errors raises it.</summary>
    Warning,

    /// <summary>The publish stops. Nothing further is sent.</summary>
    Error,
}

/// <summary>One line of the code table: what an <c>RSDK</c> code means whenever it appears.</summary>
/// <param name="Code"><c>RSDK</c> and four digits; the thousands name the stage (1 facts … 8 reporting, 9 usage).</param>
/// <param name="Severity">Whether the code stops the publish.</param>
/// <param name="Title">What is wrong, in a few words, without the values of one occurrence.</param>
/// <param name="Mend">What the user changes: the property, item, metadata or command.</param>
public sealed record DiagnosticDescriptor(string Code, Severity Severity, string Title, string Mend)
{
    /// <summary>The page that explains the code (<c>docs/codes.md</c>, made from this table).</summary>
    public string HelpLink => $"https://github.com/wundam/registry-sdk/blob/main/docs/codes.md#{Code.ToLowerInvariant()}";

    /// <summary>Makes one occurrence.</summary>
    /// <param name="message">What was tried, why it failed and what mends it, on one line, with this occurrence's values. Never a secret.</param>
    /// <param name="file">Absolute path of the file at fault, where a file is the cause.</param>
    public Diagnostic Report(string message, string? file = null) => new(this, message, file);
}

/// <summary>An expected failure, or a warning, as a value.</summary>
/// <param name="Descriptor">The row of the code table.</param>
/// <param name="Message">One line; see <see cref="DiagnosticDescriptor.Report"/>.</param>
/// <param name="File">Absolute path of the file at fault, or null.</param>
public sealed record Diagnostic(DiagnosticDescriptor Descriptor, string Message, string? File = null)
{
    /// <summary>The line in <see cref="File"/>, from 1; 0 where none is meant.</summary>
    public int Line { get; init; }

    /// <summary>The <c>RSDK</c> code.</summary>
    public string Code => Descriptor.Code;

    /// <summary>Whether this stops the publish.</summary>
    public bool IsError => Descriptor.Severity == Severity.Error;

    /// <inheritdoc/>
    public override string ToString() => $"{(IsError ? "error" : "warning")} {Code}: {Message}";
}

/// <summary>What a stage gives back: its record, or the errors why there is none; warnings come with either.</summary>
/// <typeparam name="T">The stage's output record.</typeparam>
public sealed class Outcome<T>
    where T : class
{
    private readonly T? _value;

    private Outcome(T? value, IReadOnlyList<Diagnostic> diagnostics)
    {
        _value = value;
        Diagnostics = diagnostics;
    }

    /// <summary>Errors and warnings, in the order they were found.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics { get; }

    /// <summary>Whether there is a <see cref="Value"/>.</summary>
    [System.Diagnostics.CodeAnalysis.MemberNotNullWhen(true, nameof(_value))]
    public bool Succeeded => _value is not null;

    /// <summary>The record. Throws where the stage failed: callers look at <see cref="Succeeded"/> first.</summary>
    public T Value => _value ?? throw new InvalidOperationException($"The stage failed: {string.Join("; ", Diagnostics)}");

    /// <summary>A success; an error among the diagnostics is a bug of the caller.</summary>
    public static Outcome<T> Success(T value, IReadOnlyList<Diagnostic>? diagnostics = null)
    {
        if (diagnostics?.Any(d => d.IsError) == true)
        {
            throw new ArgumentException("A success carries warnings only.", nameof(diagnostics));
        }

        return new(value, diagnostics ?? []);
    }

    /// <summary>A failure; at least one of the diagnostics is an error.</summary>
    public static Outcome<T> Failure(IReadOnlyList<Diagnostic> diagnostics)
    {
        ArgumentNullException.ThrowIfNull(diagnostics);
        if (!diagnostics.Any(d => d.IsError))
        {
            throw new ArgumentException("A failure carries at least one error.", nameof(diagnostics));
        }

        return new(null, diagnostics);
    }

    /// <summary>A failure with one error.</summary>
    public static Outcome<T> Failure(Diagnostic error) => Failure([error]);

    /// <summary>Success with <paramref name="value"/> if no diagnostic is an error, else failure.</summary>
    public static Outcome<T> From(T value, IReadOnlyList<Diagnostic> diagnostics)
        => diagnostics.Any(d => d.IsError) ? Failure(diagnostics) : Success(value, diagnostics);
}
