using static Registry.Sdk.Core.Primitives.Severity;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// The one table of codes. <c>docs/codes.md</c> is made from it (a test compares). A code is never given another meaning.
/// </summary>
public static class DiagnosticCodes
{
#pragma warning disable CS1591 // each row is its own documentation
    // 1xxx facts
    public static readonly DiagnosticDescriptor NotARepository = new("RSDK1001", Error, "The project is in no git repository and ContainerVersion is not set", "Set ContainerVersion, or run in a clone.");
    public static readonly DiagnosticDescriptor GitNotFound = new("RSDK1002", Error, "git was not found", "Install git, or set ContainerVersion.");
    public static readonly DiagnosticDescriptor NoCommit = new("RSDK1003", Error, "The git repository has no commit", "Commit, or set ContainerVersion.");
    public static readonly DiagnosticDescriptor DubiousOwnership = new("RSDK1004", Error, "git refuses the repository because another user owns it", "git config --global --add safe.directory <root>");
    public static readonly DiagnosticDescriptor ShallowClone = new("RSDK1005", Warning, "The clone is shallow, so the development version is 0.0.0-alpha.0", "Clone with full history (actions/checkout: fetch-depth: 0), or set ContainerVersion.");
    public static readonly DiagnosticDescriptor CiCommitIsNotHead = new("RSDK1006", Warning, "CI's commit is not the one checked out, so CI's ref is not used", "Check out the commit the run was started for, or set ContainerVersion.");
    public static readonly DiagnosticDescriptor GitFailed = new("RSDK1007", Error, "git failed", "Run the git command of the message; or set ContainerVersion.");
    public static readonly DiagnosticDescriptor EventFileUnreadable = new("RSDK1008", Warning, "GitHub's event file or TeamCity's properties files could not be read", "Check GITHUB_EVENT_PATH, or TEAMCITY_BUILD_PROPERTIES_FILE.");
    public static readonly DiagnosticDescriptor BadSourceDateEpoch = new("RSDK1009", Error, "SOURCE_DATE_EPOCH is not a number of seconds", "Unset SOURCE_DATE_EPOCH, or set it to decimal seconds since 1970.");

    // 2xxx version and tags
    public static readonly DiagnosticDescriptor BadContainerVersion = new("RSDK2001", Error, "ContainerVersion is not a SemVer version", "Set ContainerVersion to major.minor.patch[-prerelease].");
    public static readonly DiagnosticDescriptor CiTagIsNoVersion = new("RSDK2002", Warning, "The CI run is for a tag that is not a version tag of this project: nothing is published", "Set RegistrySdkVersionTagPrefix to what precedes the version in your tags.");
    public static readonly DiagnosticDescriptor IllegalTag = new("RSDK2003", Error, "A tag rule yields a tag that no registry accepts", "Change the ContainerTagRule (or ContainerImageTags): [A-Za-z0-9_][A-Za-z0-9._-]{0,127}.");
    public static readonly DiagnosticDescriptor BranchesShareTag = new("RSDK2004", Error, "Two branches have the same image tag", "Rename one branch, or give {branch} another ContainerTagRule.");
    public static readonly DiagnosticDescriptor DirtyRelease = new("RSDK2005", Error, "A release is built from a dirty tree", "Commit or stash the changes named.");
    public static readonly DiagnosticDescriptor DirtyPush = new("RSDK2006", Error, "A dirty tree would be pushed to a remote registry", "Commit the changes named, or set RegistrySdkAllowDirty=true.");
    public static readonly DiagnosticDescriptor BadTagRule = new("RSDK2007", Error, "A ContainerTagRule is malformed", "Correct its placeholders, On or Floating.");
    public static readonly DiagnosticDescriptor BothTagProperties = new("RSDK2008", Error, "ContainerImageTag and ContainerImageTags are both set", "Set only ContainerImageTags.");
    public static readonly DiagnosticDescriptor BadVersionTagPrefix = new("RSDK2009", Error, "RegistrySdkVersionTagPrefix can't begin a git tag", "Set RegistrySdkVersionTagPrefix to the text that precedes the version in your git tags.");
    public static readonly DiagnosticDescriptor DebugRelease = new("RSDK2010", Warning, "A release is published from a Debug build", "Publish with -c Release (dotnet build and dotnet msbuild build Debug unless told otherwise).");
    public static readonly DiagnosticDescriptor NoTags = new("RSDK2011", Warning, "No tag rule makes a tag for this build", "Add a ContainerTagRule for this kind of build, or set the destination's Tags.");

    // 3xxx editions
    public static readonly DiagnosticDescriptor EditionWithoutEditions = new("RSDK3001", Error, "A destination names an Edition, but the project has no ContainerEditions", "Set ContainerEditions, or remove the Edition metadata.");
    public static readonly DiagnosticDescriptor EmptyPublishFolder = new("RSDK3003", Error, "The publish folder is empty or missing", "Publish without NoBuild, or correct PublishDir.");
    public static readonly DiagnosticDescriptor UnreadableFile = new("RSDK3004", Error, "A file of the publish folder can't be read", "Make the file readable, or keep it out of the publish output (CopyToPublishDirectory=Never).");
    public static readonly DiagnosticDescriptor SymlinkOutside = new("RSDK3005", Error, "A symbolic link leaves the publish folder", "Replace the link by the file, or keep it out of the publish output (CopyToPublishDirectory=Never).");
    public static readonly DiagnosticDescriptor WhiteoutName = new("RSDK3006", Error, "A file's name would delete another file in the image", "Rename the file: names that begin with .wh. are whiteouts in image layers.");

    public static readonly DiagnosticDescriptor SharedPublishFolder = new("RSDK3007", Error, "The builds of several platforms publish into one folder", "Remove PublishDir (dotnet publish -o), or name one platform with RuntimeIdentifier.");
    public static readonly DiagnosticDescriptor DestinationWithoutEdition = new("RSDK3010", Error, "A destination names no Edition, but the project has ContainerEditions", "Add Edition=\"…\" to the ContainerDestination, with a name of ContainerEditions.");
    public static readonly DiagnosticDescriptor UnknownEdition = new("RSDK3011", Error, "A destination names an Edition that ContainerEditions does not", "Correct the Edition metadata, or add the name to ContainerEditions.");
    public static readonly DiagnosticDescriptor EditionTwice = new("RSDK3012", Error, "ContainerEditions names an edition twice", "Remove one of the two from ContainerEditions.");
    public static readonly DiagnosticDescriptor UnknownDefaultEdition = new("RSDK3013", Error, "ContainerEdition is empty or not in ContainerEditions", "Set ContainerEdition to a name of ContainerEditions, under the condition that it is empty.");
    public static readonly DiagnosticDescriptor EditionWithoutLicense = new("RSDK3014", Error, "An edition has no licence", "Set PackageLicenseExpression under the condition '$(ContainerEdition)' == '<edition>'.");
    public static readonly DiagnosticDescriptor BadLicenseExpression = new("RSDK3015", Error, "A licence is not an SPDX expression", "Correct it: ids of spdx.org/licenses, AND, OR, WITH, parentheses, LicenseRef-….");
    public static readonly DiagnosticDescriptor LicensedPathMatchesNothing = new("RSDK3016", Warning, "A LicensedPath matches no file", "Correct its Include (globs are case-sensitive; a folder is written as folder/**), or remove it.");
    public static readonly DiagnosticDescriptor LicenseNotSeenByRestore = new("RSDK3017", Error, "License stands on a PackageReference or ProjectReference, but restore does not see what a package does with it", "Use <Sdk Name=\"Registry.Sdk\"/> or the one-line import in Directory.Build.props; or put a Condition on the item.");
    public static readonly DiagnosticDescriptor LicenseOnWrongItem = new("RSDK3018", Error, "License stands on an item that can't carry it", "Remove it; LicensedPath, Compile, Content, None, EmbeddedResource, AdditionalFiles, PackageReference, ProjectReference and Reference carry it.");
    public static readonly DiagnosticDescriptor EditionFailed = new("RSDK3019", Error, "An edition could not be built", "Mend the errors above, which are of the edition of the message.");
    public static readonly DiagnosticDescriptor NotAnSpdxName = new("RSDK3020", Warning, "BSL and BSL-1.1 are no SPDX names", "Write BUSL-1.1 for the Business Source License, BSL-1.0 for the Boost Software License.");
    public static readonly DiagnosticDescriptor RestrictedEditionIsPublic = new("RSDK3021", Error, "An edition whose licence is not open source goes to a public destination", "Correct the destination's Edition or Visibility, or the edition's PackageLicenseExpression.");
    public static readonly DiagnosticDescriptor EditionSharesOutput = new("RSDK3023", Error, "An edition would be built into the folders of another", "Remove BaseIntermediateOutputPath, BaseOutputPath, IntermediateOutputPath, OutputPath or OutDir from the project.");
    public static readonly DiagnosticDescriptor BadEditionName = new("RSDK3024", Error, "The name of an edition can't be used", "Use a letter, then letters, digits, '-' and '_'.");
    public static readonly DiagnosticDescriptor EditionNotRestored = new("RSDK3025", Error, "What was restored is of another edition", "Restore with the same ContainerEdition; or use <Sdk Name=\"Registry.Sdk\"/> or the one-line import in Directory.Build.props.");
    public static readonly DiagnosticDescriptor RestrictedSource = new("RSDK3030", Error, "An assembly is compiled from a file whose licence this edition does not allow", "Take the file out of this edition: LicensedPath, License metadata, or a Condition on '$(ContainerEdition)'.");
    public static readonly DiagnosticDescriptor RestrictedFile = new("RSDK3031", Error, "A file would ship whose licence this edition does not allow", "Take the file out of this edition: LicensedPath, License metadata, or a Condition on '$(ContainerEdition)'.");
    public static readonly DiagnosticDescriptor RestrictedProject = new("RSDK3032", Error, "A project is built in whose licence this edition does not allow", "Put License=\"…\" or a Condition on the ProjectReference that brings it in.");
    public static readonly DiagnosticDescriptor RestrictedPackage = new("RSDK3033", Error, "A package would ship whose licence this edition does not allow", "Put License=\"…\" or a Condition on the PackageReference that brings it in; or add the licence to ContainerEditionAllowedLicenses.");
    public static readonly DiagnosticDescriptor PackageWithoutLicense = new("RSDK3034", Error, "The licence of a package that would ship is not known", "Read it, then add <PackageLicense Include=\"id\" License=\"SPDX expression\" Reason=\"…\" />.");
    public static readonly DiagnosticDescriptor UnexplainedFile = new("RSDK3035", Error, "A file would ship and nothing explains where it comes from", "Delete the publish folder if it is left over; else add the file as Content with a License, or keep it out.");
    public static readonly DiagnosticDescriptor UnprovenAssembly = new("RSDK3036", Error, "What an assembly was compiled from can't be proven", "Set DebugType to portable or embedded; or put License on the Reference.");
    public static readonly DiagnosticDescriptor StaleAssembly = new("RSDK3037", Error, "An assembly was compiled from a source that is another by now", "Build again: dotnet build --no-incremental.");
    public static readonly DiagnosticDescriptor RestrictedAssembly = new("RSDK3038", Error, "An assembly holds what belongs to another edition", "Take it out of this edition.");
    public static readonly DiagnosticDescriptor NamesOtherEdition = new("RSDK3039", Error, "What would ship names a path, project or package of another edition", "Remove the name, or put a Condition on it.");
    public static readonly DiagnosticDescriptor PackageFileDiffers = new("RSDK3040", Error, "A file that is said to be a package's is not what the package holds", "Delete obj and the publish folder, restore and publish again.");
    public static readonly DiagnosticDescriptor RestrictedResource = new("RSDK3041", Error, "An assembly embeds a file whose licence this edition does not allow", "Take the EmbeddedResource out of this edition.");
    public static readonly DiagnosticDescriptor SourceNamesOtherEdition = new("RSDK3042", Warning, "A public image names the repository that holds the other editions too", "Set RepositoryUrl under the condition '$(ContainerEdition)' == '<edition>'.");

    // 4xxx imaging
    public static readonly DiagnosticDescriptor BadBaseImage = new("RSDK4001", Error, "ContainerBaseImage is not an image reference", "Set ContainerBaseImage to host/name:tag or host/name@sha256:….");
    public static readonly DiagnosticDescriptor BaseImageMissing = new("RSDK4002", Error, "The base image does not exist", "Correct ContainerBaseImage (or ContainerFamily).");
    public static readonly DiagnosticDescriptor BaseImagePlatform = new("RSDK4003", Error, "The base image has no variant for the platform", "Change ContainerRuntimeIdentifier or ContainerBaseImage.");
    public static readonly DiagnosticDescriptor BaseImageUnreachable = new("RSDK4004", Error, "The base image's registry can't be used", "Check the network, ContainerBaseImage, or re-map the host with a RegistrySdkEndpoint item.");
    public static readonly DiagnosticDescriptor WindowsRid = new("RSDK4005", Error, "Windows images are not made", "Set ContainerRuntimeIdentifier to linux-x64 or linux-arm64.");
    public static readonly DiagnosticDescriptor FileChanged = new("RSDK4006", Error, "A file changed between the bill and the layer", "Publish again, and let nothing write to the publish folder meanwhile.");
    public static readonly DiagnosticDescriptor SamePlatformTwice = new("RSDK4007", Error, "Two runtime identifiers stand for one platform, so one index can't hold both", "Remove one of them from ContainerRuntimeIdentifiers.");
    public static readonly DiagnosticDescriptor UnmappedPaths = new("RSDK4008", Warning, "An assembly holds the path of the folder it was built in, so the image's digest depends on that folder", "Put the one-line import into Directory.Build.props, or publish with -p:ContinuousIntegrationBuild=true -p:DeterministicSourcePaths=true.");
    public static readonly DiagnosticDescriptor BadConfig = new("RSDK4009", Error, "A container property can't be put into an image", "Correct the property or item of the message.");
    public static readonly DiagnosticDescriptor BaseImageInvalid = new("RSDK4010", Error, "The base image's content is not what its digest or the OCI image spec says", "Choose another ContainerBaseImage, or report it to the registry's operator.");
    public static readonly DiagnosticDescriptor LayoutNotWritten = new("RSDK4011", Error, "The image can't be written to the build's obj folder", "Free disk space, or make IntermediateOutputPath writable.");
    public static readonly DiagnosticDescriptor StartFileMissing = new("RSDK4012", Warning, "What the image starts is not in it, or not executable", "Correct ContainerAppCommand, ContainerEntrypoint or ContainerWorkingDirectory.");
    public static readonly DiagnosticDescriptor FrameworkMissing = new("RSDK4013", Warning, "The base image lacks the .NET version that the application needs", "Choose a ContainerBaseImage with that version, publish with SelfContained=true, or set RollForward.");
    public static readonly DiagnosticDescriptor ArchitectureMismatch = new("RSDK4014", Warning, "A program or native library is for another architecture than the image", "Publish with the RuntimeIdentifier of the image, or correct ContainerRuntimeIdentifier.");
    public static readonly DiagnosticDescriptor InterpreterMissing = new("RSDK4015", Warning, "What the image starts needs a loader or interpreter that an empty base image does not have", "Choose a ContainerBaseImage with it (runtime-deps), or publish with PublishAot=true and StaticExecutable=true.");

    public static readonly DiagnosticDescriptor SecretGoesPublic = new("RSDK4030", Error, "What would go to a public destination holds a secret", "Take it out and replace it by another; or lift it: <ContainerSecretAllow Include=\"path or fingerprint:…\" Reason=\"…\" />.");
    public static readonly DiagnosticDescriptor SecretInImage = new("RSDK4031", Warning, "An image holds a secret; no destination of it is known to be public", "Take it out and replace it by another; or lift it: <ContainerSecretAllow Include=\"path or fingerprint:…\" Reason=\"…\" />.");
    public static readonly DiagnosticDescriptor BadSecretAllow = new("RSDK4032", Error, "A ContainerSecretAllow item is malformed", "Write Include=\"path\" or Include=\"fingerprint:16 hexadecimal digits\", and a Reason.");
    public static readonly DiagnosticDescriptor SecretAllowMatchesNothing = new("RSDK4033", Warning, "A ContainerSecretAllow item lifts nothing", "Correct its Include (as in the image; paths are case-sensitive), or remove it.");
    public static readonly DiagnosticDescriptor NotSearched = new("RSDK4034", Warning, "A file could not be searched for secrets", "Look into it yourself; or keep it out of the publish output (CopyToPublishDirectory=Never).");

    // 5xxx planning
    public static readonly DiagnosticDescriptor RegistryUnreachable = new("RSDK5001", Error, "A destination's registry can't be reached", "Check the host of the ContainerDestination and the network.");
    public static readonly DiagnosticDescriptor NotARegistry = new("RSDK5002", Error, "A destination's host does not answer as an OCI registry", "Check the host of the ContainerDestination, a proxy, or a RegistrySdkEndpoint item.");
    public static readonly DiagnosticDescriptor CredentialsRefused = new("RSDK5003", Error, "A registry refuses the credentials, or wants some and has none", "Log in (docker login <host>), or add a RegistrySdkCredential item.");
    public static readonly DiagnosticDescriptor NoPushRight = new("RSDK5004", Error, "The credentials may not push to a destination", "Give the account of the message the push right, or name another with a RegistrySdkCredential item.");
    public static readonly DiagnosticDescriptor ImmutableTagTaken = new("RSDK5005", Error, "An immutable tag already names another image", "Release a new version; or name the tag in RegistrySdkOverwriteTag.");
    public static readonly DiagnosticDescriptor RegistryLies = new("RSDK5006", Error, "A registry answers with content of another digest", "Report it to the registry's operator; remove the ContainerDestination meanwhile.");
    public static readonly DiagnosticDescriptor AuthNotSupported = new("RSDK5007", Error, "A registry asks for a kind of authentication that is not spoken, or names a token server that is not known to be its own", "Add the RealmHost of the message to a RegistrySdkCredential item; or log in with user name and password.");
    public static readonly DiagnosticDescriptor UnlabelledMove = new("RSDK5008", Warning, "A floating tag names an image without version and revision labels and is moved without knowing whether forwards", "Nothing; or keep the tag with the destination's Tags metadata.");
    public static readonly DiagnosticDescriptor CredentialSourceBroken = new("RSDK5009", Error, "A credential source can't be read", "Correct or remove the file or helper of the message.");

    public static readonly DiagnosticDescriptor DockerFormatInLayout = new("RSDK5010", Warning, "An image in Docker's format goes to an oci: destination, where skopeo and umoci do not find its tags", "Set ContainerImageFormat to OCI.");
    public static readonly DiagnosticDescriptor ReleaseVanished = new("RSDK5011", Error, "The released image that was found before building is no longer where it was", "Publish again.");
    public static readonly DiagnosticDescriptor CouldBeBornPublic = new("RSDK5020", Error, "A destination declared private or internal does not exist, and its first push could make it readable by more people", "Create it private first, or push it first with what makes it private (the message says which).");
    public static readonly DiagnosticDescriptor OwnerNotFound = new("RSDK5021", Error, "GitHub knows no user or organisation of a destination's owner name", "Correct the name in the ContainerDestination.");
    public static readonly DiagnosticDescriptor WillNotLink = new("RSDK5022", Warning, "A package at GitHub will be linked to no git repository by the image's source label", "Set RepositoryUrl to https://SERVER/OWNER/NAME of a repository of the package's owner, without .git.");
    public static readonly DiagnosticDescriptor NotCreated = new("RSDK5023", Error, "A repository at Docker Hub could not be created private before the first push", "Create it private at hub.docker.com, or use an access token that may create repositories.");

    // 6xxx transfer
    public static readonly DiagnosticDescriptor TransferFailed = new("RSDK6001", Error, "Sending to a destination failed", "Publish again: what arrived is not sent twice.");
    public static readonly DiagnosticDescriptor TagsPending = new("RSDK6002", Error, "Tags were left pending", "Publish the same commit and version again: it finishes them.");
    public static readonly DiagnosticDescriptor Interrupted = new("RSDK6003", Error, "The publish was cancelled, or stopped by a bug", "Publish the same commit and version again: what arrived is not sent twice. A bug: report it with the message.");
    public static readonly DiagnosticDescriptor TagTakenMeanwhile = new("RSDK6004", Error, "Another publish wrote an immutable tag at the same time", "See which image is right; release a new version, or name the tag in RegistrySdkOverwriteTag.");

    public static readonly DiagnosticDescriptor LayoutDestination = new("RSDK6005", Error, "An oci: destination can't be read or written", "Free disk space, make the directory writable, or name another in ContainerDestination.");
    public static readonly DiagnosticDescriptor Throttled = new("RSDK6006", Error, "A registry limits how often it is asked", "Publish again after the time of the message: what arrived is not sent twice.");

    public static readonly DiagnosticDescriptor ConnectionBreaks = new("RSDK6010", Error, "The connection to a registry that had answered breaks off again and again", "Publish again when it is up, over a better line, or raise what a proxy in between lets through at once: what arrived is not sent twice.");
    public static readonly DiagnosticDescriptor GivenUp = new("RSDK6011", Error, "A registry kept failing for as long as a publish waits for one, and was given up on", "Publish again once the registry works: what arrived is not sent twice.");
    public static readonly DiagnosticDescriptor JournalNotWritten = new("RSDK6020", Error, "The journal can't be written, so no tag is", "Free disk space, or make IntermediateOutputPath writable.");
    public static readonly DiagnosticDescriptor TagUnsettled = new("RSDK6021", Error, "A floating tag does not settle between this publish and others", "See who else writes the tag; then publish again what the message names.");

    // 7xxx verification
    public static readonly DiagnosticDescriptor PrivateIsPublic = new("RSDK7001", Error, "A destination declared private or internal can be read by anyone", "Make the repository private, or correct the destination's Visibility.");
    public static readonly DiagnosticDescriptor PublicIsRefused = new("RSDK7002", Error, "A destination declared public can't be read without credentials", "Make the repository public, or correct the destination's Visibility.");
    public static readonly DiagnosticDescriptor VisibilityUnknown = new("RSDK7003", Error, "Who can read a destination could not be found out", "Publish again; or remove the destination's Visibility.");
    public static readonly DiagnosticDescriptor PublicIsRefusedWarning = new("RSDK7004", Warning, "A destination declared public can't be read without credentials (RegistrySdkVisibilityMismatch=warn)", "Make the repository public, or correct the destination's Visibility.");
    public static readonly DiagnosticDescriptor VisibilityDiffers = new("RSDK7010", Error, "A package at GitHub is internal and declared private, or the other way", "Change the package's visibility in its settings, or correct the destination's Visibility.");
    public static readonly DiagnosticDescriptor VisibilityDiffersWarning = new("RSDK7011", Warning, "A package at GitHub is private and declared internal (RegistrySdkVisibilityMismatch=warn)", "Change the package's visibility in its settings, or correct the destination's Visibility.");
    public static readonly DiagnosticDescriptor PackageMissing = new("RSDK7030", Error, "A package that is to be verified is not there", "Publish it; correct the ContainerDestination; or set its Optional=\"true\".");
    public static readonly DiagnosticDescriptor PackageWithoutTags = new("RSDK7031", Error, "A package has no tag, so nothing of it can be pulled by name", "Publish it.");
    public static readonly DiagnosticDescriptor ReleaseMissingHere = new("RSDK7032", Error, "The newest release of an image is not at all its destinations", "Publish that release again: what arrived is not sent twice.");
    public static readonly DiagnosticDescriptor FloatingTagStale = new("RSDK7033", Error, "A floating tag does not name the newest release that it stands for", "Publish that release again, or move the tag.");
    public static readonly DiagnosticDescriptor ReleaseDiffers = new("RSDK7034", Error, "One release has different digests at different destinations", "Publish a new version to all of them from one build.");
    public static readonly DiagnosticDescriptor ContentIncomplete = new("RSDK7035", Error, "Not everything of an image can be fetched", "Publish it again; if that sends nothing, report it to the registry's operator.");
    public static readonly DiagnosticDescriptor PrivateContentReadable = new("RSDK7036", Error, "An outsider gets content of a package that is not public", "Make the repository private at its registry; report it to the registry's operator.");
    public static readonly DiagnosticDescriptor PlatformsIncomplete = new("RSDK7037", Error, "A platform of an image is not there, or not at all its destinations", "Publish it again for all its platforms.");
    public static readonly DiagnosticDescriptor NotFoundOut = new("RSDK7038", Error, "Something that is to be verified could not be found out", "Verify again; see whether the registry of the message works.");
    public static readonly DiagnosticDescriptor NotReadable = new("RSDK7039", Error, "A package that is not public can't be looked into with the credentials that are there", "Log in (docker login <host>), or add a RegistrySdkCredential item.");
    public static readonly DiagnosticDescriptor ComposeImageRefused = new("RSDK7041", Error, "An image of a compose file can't be pulled by a newcomer", "Make it public, publish it, or correct image: in the compose file.");
    public static readonly DiagnosticDescriptor ComposePlatformMissing = new("RSDK7042", Error, "An image of a compose file is not there for the platform it would run on", "Publish it for that platform, or set platform: in the compose file.");
    public static readonly DiagnosticDescriptor MissingOrClosed = new("RSDK7043", Warning, "An optional package is missing, or is there and not readable: which one can't be told without credentials", "Log in (docker login <host>), or add a RegistrySdkCredential item.");
    public static readonly DiagnosticDescriptor VerifyReportNotWritten = new("RSDK7044", Error, "The report of VerifyContainers could not be written", "Set RegistrySdkVerifyReportPath to a writable path.");

    // 8xxx reporting
    public static readonly DiagnosticDescriptor ReceiptNotWritten = new("RSDK8001", Error, "The receipt could not be written", "Set RegistrySdkReceiptPath to a writable path.");
    public static readonly DiagnosticDescriptor CiReportNotWritten = new("RSDK8002", Warning, "GITHUB_OUTPUT or GITHUB_STEP_SUMMARY could not be written", "Check the runner's disk.");

    // 9xxx usage
    public static readonly DiagnosticDescriptor BadDestination = new("RSDK9001", Error, "A destination is not host/namespace/name", "Correct the ContainerDestination (or ContainerRegistry and ContainerRepository).");
    public static readonly DiagnosticDescriptor UpperCaseRepository = new("RSDK9002", Error, "A repository name has upper-case letters", "Write the lower-case name of the message.");
    public static readonly DiagnosticDescriptor DuplicateDestination = new("RSDK9003", Error, "Two destinations are one repository", "Remove one ContainerDestination.");
    public static readonly DiagnosticDescriptor RegistryBesideDestinations = new("RSDK9004", Error, "ContainerRegistry or ContainerArchiveOutputPath is set beside ContainerDestination items", "Remove ContainerRegistry and ContainerArchiveOutputPath, or the ContainerDestination items.");
    public static readonly DiagnosticDescriptor PlainHttp = new("RSDK9005", Error, "Plain http to a host that is not loopback", "Use https; or add a RegistrySdkEndpoint with Insecure=\"true\" (anonymous only).");
    public static readonly DiagnosticDescriptor SdkTooOld = new("RSDK9006", Error, "The .NET SDK is older than Registry.Sdk supports", "Install .NET SDK 10.0.100 or newer (global.json).");
    public static readonly DiagnosticDescriptor BadOn = new("RSDK9007", Error, "A destination's On names an unknown kind of build", "Use release, prerelease, branch, pr.");
    public static readonly DiagnosticDescriptor BadVisibility = new("RSDK9008", Error, "A destination's Visibility is not a known word", "Use public, private or internal.");
    public static readonly DiagnosticDescriptor BadEndpoint = new("RSDK9009", Error, "A RegistrySdkEndpoint item is malformed", "Write Include=\"host\" Registry=\"https://host[:port]\".");
    public static readonly DiagnosticDescriptor MultiTargeted = new("RSDK9010", Error, "The project has several TargetFrameworks and none was chosen", "Publish with -f <framework>.");
    public static readonly DiagnosticDescriptor BadCredentialItem = new("RSDK9011", Error, "A RegistrySdkCredential item is malformed", "Write Include=\"host\" UsernameVariable=\"…\" PasswordVariable=\"…\" (names of environment variables).");
    public static readonly DiagnosticDescriptor InsecureRegistriesIgnored = new("RSDK9012", Warning, "DOTNET_CONTAINER_INSECURE_REGISTRIES is not honoured", "Add a RegistrySdkEndpoint with Insecure=\"true\" for the host.");
    public static readonly DiagnosticDescriptor SharedPairIgnored = new("RSDK9013", Warning, "The DOTNET_CONTAINER_* credential pair names no host and is ignored, because the destinations have several", "Add RegistrySdkCredential items that name the same variables per host.");
    public static readonly DiagnosticDescriptor BadLayoutPath = new("RSDK9014", Error, "An oci: reference is malformed", "Write oci:path, relative to the project; for a base image oci:path:tag or oci:path@sha256:….");
    public static readonly DiagnosticDescriptor BadDestinationTags = new("RSDK9015", Error, "A destination's Tags metadata holds an illegal tag", "Correct the Tags metadata: [A-Za-z0-9_][A-Za-z0-9._-]{0,127}, separated by ';'.");
    public static readonly DiagnosticDescriptor BadSwitch = new("RSDK9016", Error, "A RegistrySdk property has a value it can't have", "Correct the property of the message.");
    public static readonly DiagnosticDescriptor MisspeltMetadata = new("RSDK9017", Error, "An item's metadata is written almost like one that Registry.Sdk knows", "Correct the name of the metadata.");
    public static readonly DiagnosticDescriptor InternalNotHere = new("RSDK9020", Error, "A destination is declared internal where only public and private exist", "Use Visibility=\"private\" or \"public\"; internal is for packages of an organisation at GitHub.");
    public static readonly DiagnosticDescriptor VisibilityOfDirectory = new("RSDK9021", Error, "An oci: destination has a Visibility", "Remove the Visibility metadata: who may read a directory its file system says.");

    public static readonly DiagnosticDescriptor BadOptional = new("RSDK9025", Error, "A destination's Optional is neither true nor false", "Use true or false.");
    public static readonly DiagnosticDescriptor ComposeFileMissing = new("RSDK9026", Error, "A compose file can't be read", "Correct the ContainerComposeFile, or what names the file in include:, extends: or env_file:.");
    public static readonly DiagnosticDescriptor ComposeFileInvalid = new("RSDK9027", Error, "A compose file is none, or names no image", "Correct the file at the line of the message.");
    public static readonly DiagnosticDescriptor ComposeVariable = new("RSDK9028", Error, "A variable in a compose file can't be resolved", "Set it in the environment or in .env beside the file, or give it a default: ${NAME:-value}.");
    public static readonly DiagnosticDescriptor ComposeImageName = new("RSDK9029", Error, "An image: of a compose file is no image reference", "Write [host/]name[:tag][@digest].");
    public static readonly DiagnosticDescriptor NothingToVerify = new("RSDK9030", Error, "There is nothing to verify", "Add ContainerDestination, ContainerProject or ContainerComposeFile items.");
    public static readonly DiagnosticDescriptor DeclaredTwice = new("RSDK9031", Error, "A package is declared with two visibilities", "Declare one Visibility, in the fleet project or in the service.");
    public static readonly DiagnosticDescriptor ProjectNotRead = new("RSDK9032", Error, "The destinations of a ContainerProject can't be read", "Remove it from ContainerProject, and name its destinations as ContainerDestination items.");
#pragma warning restore CS1591

    /// <summary>All rows, by code.</summary>
    public static IReadOnlyList<DiagnosticDescriptor> All { get; } =
    [
        .. typeof(DiagnosticCodes).GetFields(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Static)
            .Where(f => f.FieldType == typeof(DiagnosticDescriptor))
            .Select(f => (DiagnosticDescriptor)f.GetValue(null)!)
            .OrderBy(d => d.Code, StringComparer.Ordinal),
    ];
}
