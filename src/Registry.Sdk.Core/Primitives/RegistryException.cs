namespace Registry.Sdk.Core.Primitives;

/// <summary>How talking to a registry failed.</summary>
public enum RegistryFailure
{
    /// <summary>No connection, no answer in time, or TLS failed.</summary>
    Unreachable,

    /// <summary>Something answers, but not as an OCI registry does (HTML, empty body, impossible status).</summary>
    NotARegistry,

    /// <summary>Credentials are wanted and none were found.</summary>
    CredentialsMissing,

    /// <summary>The credentials that were found are refused.</summary>
    CredentialsRefused,

    /// <summary>Authenticated, but not allowed.</summary>
    Denied,

    /// <summary>The registry asks for an authentication this client does not speak, or names a token server that is not trusted.</summary>
    AuthNotSupported,

    /// <summary>Content does not have the digest or size it was asked for by.</summary>
    WrongContent,

    /// <summary>The registry understood and said no, or failed itself.</summary>
    Rejected,

    /// <summary>Before a tag was written, or written again, another publish wrote it: it was left alone.</summary>
    TakenMeanwhile,

    /// <summary>Asked too often, or a quota is used up: <see cref="RegistryException.RetryAfter"/>.</summary>
    Throttled,

    /// <summary>The server's certificate is not accepted.</summary>
    CertificateInvalid,

    /// <summary>Content is right by its digest, but the descriptor that names it has another size: the image is malformed, not the registry.</summary>
    WrongDescriptor,
}

/// <summary>An I/O failure at a registry. Mapped to codes in one place, <see cref="RegistryErrors"/>.</summary>
/// <param name="failure">What kind.</param>
/// <param name="host">Which registry.</param>
/// <param name="message">What was tried and what was answered, on one line, without secrets.</param>
/// <param name="innerException">The transport's exception, if any.</param>
public sealed class RegistryException(RegistryFailure failure, RegistryHost host, string message, Exception? innerException = null) : IOException(message, innerException)
{
    /// <summary>What kind.</summary>
    public RegistryFailure Failure { get; } = failure;

    /// <summary>Whether it is a registry's no to who asks, and not one to be waited for.</summary>
    public bool IsRefusal => Failure is RegistryFailure.CredentialsMissing or RegistryFailure.CredentialsRefused or RegistryFailure.Denied;

    /// <summary>Which registry.</summary>
    public RegistryHost Host { get; } = host;

    /// <summary>How long the registry asks to wait, where it says so (<see cref="RegistryFailure.Throttled"/>, or out of service); at least a second, at most a day.</summary>
    public TimeSpan? RetryAfter { get; internal init; }

    /// <summary>Whether the same request may fare better a little later: see <see cref="Transient"/>.</summary>
    internal bool IsTransient { get; init; }

    /// <summary>The connection breaks off again and again, although the host has answered before: its name and ours are right.</summary>
    internal bool BreaksOff { get; private init; }

    /// <summary>Nothing was sent: the host had failed so often before that it was given up on.</summary>
    internal bool IsGivenUp { get; private init; }

    /// <summary>A limit on how often may be asked.</summary>
    /// <param name="redactor">Knows what the message must not repeat.</param>
    /// <param name="host">Which registry.</param>
    /// <param name="refused">What was answered, without a full stop.</param>
    /// <param name="retryAfter">How long it asks to wait, if it says.</param>
    internal static RegistryException Throttled(Redactor redactor, RegistryHost host, string refused, TimeSpan? retryAfter)
        => new(RegistryFailure.Throttled, host, $"{redactor.Finish(refused)}: it limits how often it is asked{Throttling.Asking(retryAfter)}.") { RetryAfter = retryAfter, IsTransient = true };

    /// <summary>The same failure, after it was tried again in vain.</summary>
    /// <param name="times">How often it was tried in all.</param>
    /// <param name="over">From the first try to the last.</param>
    /// <param name="hasAnswered">Whether the host has answered anything before.</param>
    internal RegistryException Tried(int times, TimeSpan over, bool hasAnswered)
        => new(Failure, Host, $"{Message.TrimEnd('.')}. It was tried {times} times within {Throttling.InWords(over)}.", InnerException)
        {
            RetryAfter = RetryAfter,
            BreaksOff = hasAnswered && Failure == RegistryFailure.Unreachable,
        };

    /// <summary>What is not sent any more, because of this failure.</summary>
    /// <param name="what">The request.</param>
    /// <param name="waited">How long the host was waited for in all.</param>
    internal RegistryException NotTried(string what, TimeSpan waited)
        => new(Failure, Host, $"{what} was not sent: {Host} kept failing for {Throttling.InWords(waited)}, and was given up on. Its last failure: {Message}", InnerException) { IsGivenUp = true };
}

/// <summary>A blob on this machine is not what its descriptor says: nothing a registry is to blame for.</summary>
/// <param name="message">Which blob and what is wrong, on one line.</param>
/// <param name="innerException">The file system's exception, if any.</param>
public sealed class LocalBlobException(string message, Exception? innerException = null) : IOException(message, innerException);

/// <summary>An OCI layout directory can't be read or written, or is none.</summary>
/// <param name="layout">Which.</param>
/// <param name="isInvalid">Whether its content is wrong, and not the disk or the right to it.</param>
/// <param name="message">What was tried and why it failed, on one line.</param>
/// <param name="innerException">The file system's exception, if any.</param>
public sealed class LayoutException(LayoutDirectory layout, bool isInvalid, string message, Exception? innerException = null) : IOException(message, innerException)
{
    /// <summary>Which.</summary>
    public LayoutDirectory Layout { get; } = layout;

    /// <summary>Whether its content is wrong, and not the disk or the right to it.</summary>
    public bool IsInvalid { get; } = isInvalid;
}

/// <summary>The one place where I/O failures become codes.</summary>
public static class RegistryErrors
{
    /// <summary>Whether an exception is one of those that are expected of repositories.</summary>
    public static bool Know(Exception exception) => exception is RegistryException or LayoutException or CredentialException;

    /// <summary>What is found at a place is not what was written or asked for.</summary>
    public static IOException WrongContent(ImagePlace place, string message) => place switch
    {
        RepositoryReference repository => new RegistryException(RegistryFailure.WrongContent, repository.Host, message),
        LayoutDirectory layout => new LayoutException(layout, isInvalid: true, message),
        _ => throw new ArgumentOutOfRangeException(nameof(place)),
    };

    /// <summary>A failure at a destination.</summary>
    public static Diagnostic AtDestination(Exception exception, string destination)
    {
        ArgumentNullException.ThrowIfNull(exception);
        if (exception is CredentialException credential)
        {
            return DiagnosticCodes.CredentialSourceBroken.Report($"{destination}: {credential.Message}", credential.File);
        }

        if (exception is LayoutException layout)
        {
            return DiagnosticCodes.LayoutDestination.Report($"{destination}: {layout.Message.TrimEnd('.')}. {(layout.IsInvalid ? "Name another directory in ContainerDestination, or mend this one" : "Free disk space, make the directory writable, or name another in ContainerDestination")}.", layout.Layout.FullPath);
        }

        var registry = (RegistryException)exception;
        var login = $"Log in (docker login {registry.Host}), or add <RegistrySdkCredential Include=\"{registry.Host}\" UsernameVariable=\"…\" PasswordVariable=\"…\" />.";
        return registry.Failure switch
        {
            _ when registry.IsGivenUp => DiagnosticCodes.GivenUp.Report($"{destination}: {registry.Message} Publish again once the registry works: what arrived is not sent twice."),
            RegistryFailure.Unreachable when registry.BreaksOff => DiagnosticCodes.ConnectionBreaks.Report($"{destination}: {registry.Message} Publish again when it is up, over a better line, or raise what a proxy in between lets through at once: what arrived is not sent twice."),
            RegistryFailure.Unreachable => DiagnosticCodes.RegistryUnreachable.Report($"{destination}: {registry.Message} Check the host in ContainerDestination (or ContainerRegistry), a RegistrySdkEndpoint item that re-maps it, and the network."),
            RegistryFailure.NotARegistry => DiagnosticCodes.NotARegistry.Report($"{destination}: {registry.Message} Check the host in ContainerDestination (or ContainerRegistry), a proxy in between, or a RegistrySdkEndpoint item."),
            RegistryFailure.CredentialsMissing => DiagnosticCodes.CredentialsRefused.Report($"{destination}: {registry.Message} {login}"),
            // Adding another source would not help: the first that has something is used.
            RegistryFailure.CredentialsRefused => DiagnosticCodes.CredentialsRefused.Report($"{destination}: {registry.Message} Replace the credential where it came from, or remove it there, so that the next source is asked (docker login {registry.Host}, or a RegistrySdkCredential item, which comes before all others)."),
            RegistryFailure.Denied => DiagnosticCodes.NoPushRight.Report($"{destination}: {registry.Message} Give that account the push right, or name another with a RegistrySdkCredential item."),
            RegistryFailure.AuthNotSupported => DiagnosticCodes.AuthNotSupported.Report($"{destination}: {registry.Message}"),
            RegistryFailure.CertificateInvalid => DiagnosticCodes.RegistryUnreachable.Report($"{destination}: {registry.Message}"),
            RegistryFailure.Throttled => DiagnosticCodes.Throttled.Report($"{destination}: {registry.Message} Publish again after that (what arrived is not sent twice), or run fewer publishes at once."),
            RegistryFailure.WrongDescriptor => DiagnosticCodes.BaseImageInvalid.Report($"{destination}: {registry.Message} Choose another ContainerBaseImage."),
            RegistryFailure.WrongContent => DiagnosticCodes.RegistryLies.Report($"{destination}: {registry.Message} Report it to the registry's operator; remove the ContainerDestination (or ContainerRegistry) meanwhile."),
            _ => DiagnosticCodes.TransferFailed.Report($"{destination}: {registry.Message} Publish again: what arrived is not sent twice."),
        };
    }

    /// <summary>A failure at the base image's registry.</summary>
    public static Diagnostic AtBaseImage(Exception exception, string baseImage)
    {
        ArgumentNullException.ThrowIfNull(exception);
        if (exception is CredentialException credential)
        {
            return DiagnosticCodes.CredentialSourceBroken.Report($"Base image {baseImage}: {credential.Message}", credential.File);
        }

        if (exception is LayoutException layout)
        {
            return layout.IsInvalid
                ? DiagnosticCodes.BaseImageInvalid.Report($"Base image {baseImage}: {layout.Message.TrimEnd('.')}. Choose another ContainerBaseImage, or mend the directory.", layout.Layout.FullPath)
                : DiagnosticCodes.BaseImageUnreachable.Report($"Base image {baseImage}: {layout.Message.TrimEnd('.')}. Correct the path in ContainerBaseImage, or make the directory readable.", layout.Layout.FullPath);
        }

        var registry = (RegistryException)exception;
        return registry.Failure switch
        {
            RegistryFailure.WrongContent or RegistryFailure.WrongDescriptor => DiagnosticCodes.BaseImageInvalid.Report($"Base image {baseImage}: {registry.Message} Choose another ContainerBaseImage, or report it to the registry's operator."),
            _ when registry.IsRefusal => DiagnosticCodes.BaseImageMissing.Report($"Base image {baseImage} does not exist or may not be read: {registry.Message} Correct ContainerBaseImage, or log in (docker login {registry.Host})."),
            RegistryFailure.CertificateInvalid => DiagnosticCodes.BaseImageUnreachable.Report($"Base image {baseImage}: {registry.Message}"),
            // A token server that is not known to be the registry's own: the message has the line to add.
            RegistryFailure.AuthNotSupported => DiagnosticCodes.BaseImageUnreachable.Report($"Base image {baseImage}: {registry.Message}"),
            RegistryFailure.Throttled => DiagnosticCodes.BaseImageUnreachable.Report($"Base image {baseImage}: {registry.Message} Publish again after that, log in (docker login {registry.Host}: registries count pulls per account), or re-map the host to a mirror with a RegistrySdkEndpoint item."),
            _ => DiagnosticCodes.BaseImageUnreachable.Report($"Base image {baseImage}: {registry.Message} Check the network and ContainerBaseImage, or re-map the host with a RegistrySdkEndpoint item."),
        };
    }
}
