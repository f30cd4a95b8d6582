namespace Registry.Sdk.Core.Primitives;

/// <summary>Who may read a destination, as declared or as found.</summary>
public enum Visibility
{
    /// <summary>Nothing was declared.</summary>
    Undeclared,

    /// <summary>Anyone, without credentials.</summary>
    Public,

    /// <summary>Named accounts only.</summary>
    Private,

    /// <summary>Members of the organisation only (GitHub).</summary>
    Internal,
}

/// <summary>One <c>ContainerDestination</c> item as MSBuild has it, unjudged.</summary>
/// <param name="Include">The item's identity: <c>host/namespace/name</c> or <c>oci:dir</c>.</param>
/// <param name="Edition"><c>Edition</c> metadata, or empty.</param>
/// <param name="Visibility"><c>Visibility</c> metadata, or empty.</param>
/// <param name="On"><c>On</c> metadata, or empty for the default <c>release;prerelease;branch</c>.</param>
/// <param name="Tags"><c>Tags</c> metadata, or empty.</param>
/// <param name="Optional"><c>Optional</c> metadata, or empty.</param>
/// <param name="Image"><c>Image</c> metadata, or empty.</param>
public sealed record DestinationItem(string Include, string Edition = "", string Visibility = "", string On = "", string Tags = "", string Optional = "", string Image = "");

/// <summary>A destination that was understood.</summary>
/// <param name="Place">Where to.</param>
/// <param name="Visibility">What was declared.</param>
/// <param name="On">The kinds of build it receives.</param>
/// <param name="Tags">A literal list that replaces the computed tags there; empty if none.</param>
/// <param name="Edition">The edition it receives; empty without <c>ContainerEditions</c>.</param>
/// <param name="IsOptional">Whether <c>VerifyContainers</c> takes it if it is not there.</param>
/// <param name="Image">What <c>VerifyContainers</c> takes for one image at several destinations; empty: said by the project.</param>
public sealed record Destination(ImagePlace Place, Visibility Visibility, BuildKinds On, IReadOnlyList<string> Tags, string Edition = "", bool IsOptional = false, string Image = "")
{
    /// <summary>The registry's repository; null for an OCI layout directory.</summary>
    public RepositoryReference? Repository => Place as RepositoryReference;

    /// <summary>
    /// Whether anyone can read what goes there, as far as that is known before looking: declared so, or Docker Hub without a declaration, which makes
    /// public what is first pushed. Which builds it takes does not matter.
    /// </summary>
    /// <param name="endpoints">Where registries answer: Docker Hub under another name is Docker Hub.</param>
    public bool CountsAsPublic(EndpointMap endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return Visibility == Visibility.Public
            || (Visibility == Visibility.Undeclared && Repository is { } repository && (repository.Host.Name == DockerHub || endpoints.Resolve(repository.Host).Service == DockerHub));
    }

    /// <inheritdoc/>
    public override string ToString() => Place.ToString()!;

    private const string DockerHub = "docker.io";
}

/// <summary>Reads destinations and says what is wrong with them.</summary>
public static class DestinationParser
{
    /// <summary>What a destination without <c>On</c> receives.</summary>
    public const BuildKinds DefaultOn = BuildKinds.Release | BuildKinds.Prerelease | BuildKinds.Branch;

    /// <summary>Parses all items and finds doubles.</summary>
    /// <param name="items">The items.</param>
    /// <param name="endpoints">Where registries answer: two names of one address are one place.</param>
    /// <param name="projectDirectory">Absolute; paths of layout directories are relative to it.</param>
    /// <param name="property">What the user wrote them in, for the messages.</param>
    /// <param name="editions"><c>ContainerEditions</c>; empty: none, and no destination may name one.</param>
    /// <param name="diagnostics">Receives what is wrong.</param>
    public static IReadOnlyList<Destination> Parse(
        IReadOnlyList<DestinationItem> items, EndpointMap endpoints, string projectDirectory, string property, IReadOnlyList<string> editions, ICollection<Diagnostic> diagnostics)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(editions);
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(diagnostics);
        var destinations = new List<Destination>();
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var item in items)
        {
            if (ParseOne(item, endpoints, projectDirectory, property, editions, diagnostics) is not { } destination)
            {
                continue;
            }

            // Two names that end in one place are one repository too: a re-mapped host, localhost and 127.0.0.1.
            var place = endpoints.Identity(destination.Place) + (destination.Repository is { } repository ? "/" + repository.Name : string.Empty);
            if (seen.TryGetValue(place, out var first))
            {
                var where = destination.Repository is { } mapped && endpoints.Resolve(mapped.Host) is { IsMapped: true } endpoint ? $" (RegistrySdkEndpoint puts '{mapped.Host}' at {endpoint.BaseAddress.Authority})" : string.Empty;
                diagnostics.Add(DiagnosticCodes.DuplicateDestination.Report(
                    $"The destinations '{first}' and '{item.Include}' are one repository{where}. Remove one of the two {property} items."));
                continue;
            }

            seen.Add(place, item.Include);
            destinations.Add(destination);
        }

        return destinations;
    }

    private static Destination? ParseOne(DestinationItem item, EndpointMap endpoints, string projectDirectory, string property, IReadOnlyList<string> editions, ICollection<Diagnostic> diagnostics)
    {
        var text = item.Include.Trim();
        if (text.StartsWith(LayoutDirectory.Prefix, StringComparison.Ordinal))
        {
            if (LayoutDirectory.Parse(text, projectDirectory, out var why) is { } layout)
            {
                return WithMetadata(layout, item, text, endpoints, editions, diagnostics);
            }

            diagnostics.Add(DiagnosticCodes.BadLayoutPath.Report($"The destination '{PlainText.Of(text)}' is no OCI layout directory: {why} Correct {property}."));
            return null;
        }

        if (text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(text, UriKind.Absolute, out var http) && !RegistryHost.IsLoopbackName(http.Host))
        {
            diagnostics.Add(DiagnosticCodes.PlainHttp.Report(
                $"The destination '{text}' asks for plain http, which is spoken to loopback only. Write '{text[7..]}' in {property}; for a registry without TLS add a RegistrySdkEndpoint with Insecure=\"true\" (anonymous only)."));
            return null;
        }

        if (ParseRepository(text, out var problem) is not { } repository)
        {
            var code = problem.UpperCase ? DiagnosticCodes.UpperCaseRepository : DiagnosticCodes.BadDestination;
            diagnostics.Add(code.Report($"'{text}' is not a destination: {problem.Why} Correct {property}."));
            return null;
        }

        // Docker Hub's library is Docker's own; what is written without a namespace would be looked for there.
        if (repository.Host.Name == "docker.io" && repository.Owner == "library" && !text.Contains("library/", StringComparison.Ordinal))
        {
            diagnostics.Add(DiagnosticCodes.BadDestination.Report($"'{text}' is not a destination: without a namespace it means docker.io/{repository.Name}, which is Docker's own. Write docker.io/NAMESPACE/{repository.Name["library/".Length..]}. Correct {property}."));
            return null;
        }

        return WithMetadata(repository, item, text, endpoints, editions, diagnostics);
    }

    private static Destination? WithMetadata(ImagePlace place, DestinationItem item, string text, EndpointMap endpoints, IReadOnlyList<string> editions, ICollection<Diagnostic> diagnostics)
    {
        var good = true;
        var on = DefaultOn;
        if (item.On.Length > 0 && !BuildKindNames.TryParse(item.On, out on, out var unknown))
        {
            diagnostics.Add(DiagnosticCodes.BadOn.Report(
                $"The destination '{text}' has On=\"{item.On}\", but '{unknown}' is no kind of build. Use release, prerelease, branch, pr, separated by ';'."));
            good = false;
        }

        var visibility = Visibility.Undeclared;
        if (item.Visibility.Length > 0 && !IsVisibility(item.Visibility, out visibility))
        {
            diagnostics.Add(DiagnosticCodes.BadVisibility.Report(
                $"The destination '{text}' has Visibility=\"{item.Visibility}\". Use public, private or internal."));
            good = false;
        }
        else if (visibility != Visibility.Undeclared && place is LayoutDirectory)
        {
            diagnostics.Add(DiagnosticCodes.VisibilityOfDirectory.Report(
                $"The destination '{PlainText.Of(text)}' has Visibility=\"{item.Visibility}\", but it is a directory: who may read it its file system says. Remove the Visibility metadata."));
            good = false;
        }
        else if (visibility == Visibility.Internal && place is RepositoryReference repository && PackageServices.ByName(repository.Host) != PackageService.GitHub && PackageServices.Of(endpoints.Resolve(repository.Host)) != PackageService.GitHub)
        {
            diagnostics.Add(DiagnosticCodes.InternalNotHere.Report(
                $"The destination '{text}' has Visibility=\"internal\", but {repository.Host} knows public and private alone; internal is for packages of an organisation at GitHub. Write Visibility=\"private\"."));
            good = false;
        }

        var isOptional = false;
        if (item.Optional.Length > 0 && !bool.TryParse(item.Optional, out isOptional))
        {
            diagnostics.Add(DiagnosticCodes.BadOptional.Report($"The destination '{text}' has Optional=\"{PlainText.Of(item.Optional)}\". Use true (VerifyContainers takes it if it is not there) or false."));
            good = false;
        }

        if (EditionProblem(item.Edition, text, editions) is { } problem)
        {
            diagnostics.Add(problem);
            good = false;
        }

        var tags = item.Tags.Split([';', ','], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (var tag in tags.Where(t => !RepositoryReference.IsLegalTag(t)))
        {
            diagnostics.Add(DiagnosticCodes.BadDestinationTags.Report(
                $"The destination '{text}' has the tag '{tag}' in its Tags metadata, which no registry accepts ([A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}). Correct Tags."));
            good = false;
        }

        return good ? new(place, visibility, on, tags.Distinct(StringComparer.Ordinal).ToList(), item.Edition, isOptional, item.Image.Trim()) : null;
    }

    private static Diagnostic? EditionProblem(string edition, string text, IReadOnlyList<string> editions)
    {
        if (editions.Count == 0)
        {
            return edition.Length == 0 ? null : DiagnosticCodes.EditionWithoutEditions.Report(
                $"The destination '{text}' has Edition=\"{PlainText.Of(edition)}\", but ContainerEditions is not set. Set ContainerEditions, or remove the Edition metadata.");
        }

        if (edition.Length == 0)
        {
            // Neither ContainerRegistry nor a list on the command line has room for the name, and guessing could make the wrong one public.
            return DiagnosticCodes.DestinationWithoutEdition.Report(
                $"The destination '{text}' does not say which edition it gets ({string.Join(", ", editions)}). Add Edition=\"{editions[0]}\", or another of them, to its ContainerDestination item; ContainerRegistry and RegistrySdkAdditionalDestinations can't name one, so write such a destination as a ContainerDestination too.");
        }

        if (editions.Contains(edition, StringComparer.Ordinal))
        {
            return null;
        }

        var meant = Misspelling.Nearest(edition, editions);
        return DiagnosticCodes.UnknownEdition.Report(
            $"The destination '{text}' has Edition=\"{PlainText.Of(edition)}\", but ContainerEditions is '{string.Join(';', editions)}'. {(meant is null ? "Correct the Edition metadata, or add the name to ContainerEditions." : $"Write Edition=\"{meant}\".")}");
    }

    private static bool IsVisibility(string word, out Visibility visibility)
    {
        visibility = word.ToLowerInvariant() switch
        {
            "public" => Visibility.Public,
            "private" => Visibility.Private,
            "internal" => Visibility.Internal,
            _ => Visibility.Undeclared,
        };
        return visibility != Visibility.Undeclared;
    }

    private static RepositoryReference? ParseRepository(string text, out (string Why, bool UpperCase) problem)
    {
        problem = default;
        if (text.Contains("://", StringComparison.Ordinal))
        {
            problem.Why = "it begins with a scheme. Write host/namespace/name alone; https is spoken to all but loopback hosts.";
            return null;
        }

        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash == text.Length - 1)
        {
            problem.Why = "it is not of the form host/namespace/name.";
            return null;
        }

        var hostText = text[..slash];
        var name = text[(slash + 1)..];
        var looksLikeHost = hostText.Contains('.', StringComparison.Ordinal) || hostText.Contains(':', StringComparison.Ordinal) || string.Equals(hostText, "localhost", StringComparison.OrdinalIgnoreCase);
        if (!looksLikeHost)
        {
            problem.Why = $"'{hostText}' is no registry host. For Docker Hub write 'docker.io/{text}'.";
            return null;
        }

        if (!RegistryHost.TryParse(hostText, out var host))
        {
            problem.Why = $"'{hostText}' is no host name with optional port.";
            return null;
        }

        var at = name.IndexOfAny(['@', ':']);
        if (at >= 0)
        {
            problem.Why = $"it carries a tag or digest ('{name[at..]}'). A destination is a repository; tags are computed, or come from its Tags metadata.";
            return null;
        }

        if (!RepositoryReference.IsLegalName(name))
        {
            var lower = name.ToLowerInvariant();
            problem = !string.Equals(lower, name, StringComparison.Ordinal) && RepositoryReference.IsLegalName(lower)
                ? ($"repository names are lower case. Write '{host}/{lower}'.", true)
                : ($"'{name}' is no repository name (lower-case letters, digits, single '.', '_', '-' between them, '/' between parts; 255 characters).", false);
            return null;
        }

        return RepositoryReference.Of(host, name);
    }
}
