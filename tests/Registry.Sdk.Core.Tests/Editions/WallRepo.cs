using System.Security.Cryptography;
using System.Text;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Tests.Editions;

/// <summary>A small repository on disk with two editions, as two builds would describe it. Plants change it before it is judged.</summary>
internal sealed class WallRepo : IDisposable
{
    public const string Saml = """
        // SPDX-free on purpose: LicensedPath says what it is.
        using System;

        namespace Acme.Enterprise;

        public sealed class SamlAssertionConsumer
        {
            private readonly string _entityId = "urn:acme:saml:service-provider";

            public string ConsumeAssertion(string samlResponse, string relayState)
            {
                var decodedAssertion = Convert.FromBase64String(samlResponse);
                var signatureIsValid = decodedAssertion.Length > 42 && relayState.Length < 80;
                var subjectNameIdentifier = _entityId + decodedAssertion.Length.ToString();
                return signatureIsValid ? subjectNameIdentifier : "assertion was refused: signature";
            }
        }

        """;

    public const string Ent = """
        namespace Ent.Lib;

        public sealed class RoleMatrix
        {
            public static readonly string[] DefaultRoles = ["owner", "auditor", "billing-administrator"];
            public bool IsGranted(string role, string resource) => DefaultRoles.AsSpan().Contains(role) && resource.StartsWith("acme:");
            public string Explain(string role) => $"role {role} is inherited from the tenant's role matrix";
            public int CountInherited(string role) => role.Length * DefaultRoles.Length + 4711;
            public string Denied(string role) => $"role {role} was denied by the tenant's role matrix";
        }

        """;

    public WallRepo()
    {
        Root = RealPath.Resolve(Directory.CreateTempSubdirectory("rsdk-wall-").FullName)!;
        Write("src/Api/Api.csproj", """
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <ItemGroup><LicensedPath Include="Enterprise/**" License="BUSL-1.1" /></ItemGroup>
            </Project>
            """);
        Program = Write("src/Api/Program.cs", "namespace Acme.Api;\npublic static class Endpoints { public static string Hello(string name) => \"hello \" + name + \", this is the community edition\"; }\n");
        SamlPath = Write("src/Api/Enterprise/Saml.cs", Saml);
        Settings = Write("src/Api/appsettings.json", "{ \"Logging\": { \"LogLevel\": { \"Default\": \"Information\", \"Microsoft.AspNetCore\": \"Warning\" } } }\n");
        Script = Write("src/Api/Enterprise/admin.js", "export function renderRoleMatrix(tenant, roles) {\n  const rows = roles.map(role => tenant.grants[role] ?? 'none');\n  return rows.join(',') + '/' + tenant.identifier;\n}\n");
        CoreSource = Write("src/Core/Core.cs", "namespace Acme.Core;\npublic sealed class Clock { public static string Now(string zone) => zone + \": it is always twelve o'clock in the core library\"; }\n");
        Write("src/Core/Core.csproj", "<Project Sdk=\"Microsoft.NET.Sdk\" />");
        EntSource = Write("src/Ent.Lib/Ent.cs", Ent);
        Write("src/Ent.Lib/Ent.Lib.csproj", "<Project Sdk=\"Microsoft.NET.Sdk\" />");
        AddPackage("Dapper", "2.0.0", "<license type=\"expression\">Apache-2.0</license>");
        DeclaringFiles.Add(At("src/Api/Api.csproj"));

        Compiled.Add(new("Compile", Program));
        ApiDocuments.Add(new("/_/src/Api/Program.cs", File.ReadAllBytes(Program), Types: ["Acme.Api.Endpoints"]));
        Content.Add(new("Content", Settings));
        Publish("appsettings.json", Settings);
        Directory.CreateDirectory(At("src/Api/obj/community"));
        Directory.CreateDirectory(At("src/Core/bin"));
        Directory.CreateDirectory(At("src/Ent.Lib/bin"));
    }

    public string Root { get; }

    public string Program { get; }

    public string SamlPath { get; }

    public string Settings { get; }

    public string Script { get; }

    public string CoreSource { get; }

    public string EntSource { get; }

    public string PublishFolder => Directory.CreateDirectory(At("publish")).FullName;

    public List<SourceItem> Compiled { get; } = [];

    public List<SourceItem> Content { get; } = [];

    public List<PublishItem> Items { get; } = [];

    public List<OwnFile> OwnFiles { get; } = [];

    public List<FakeDocument> ApiDocuments { get; } = [];

    public List<string> ApiTypes { get; } = [];

    public List<(string, byte[])> ApiResources { get; } = [];

    public List<string> ApiFriends { get; } = [];

    public bool ApiHasPdb { get; set; } = true;

    public bool CoreHasPdb { get; set; } = true;

    public List<FakeDocument> CoreDocuments { get; } = [];

    public List<ProjectFacts> MoreProjects { get; } = [];

    public List<string> ApiReferences { get; } = [];

    public List<string> CoreReferences { get; } = [];

    public List<string> DeclaringFiles { get; } = [];

    public List<LicensedPath> LicensedPaths { get; } = [];

    public List<RemovedItem> Removed { get; } = [];

    public List<string> EntReferenceLicenses { get; } = ["BUSL-1.1"];

    public List<SourceItem> EnterpriseItems { get; } = [];

    public List<PackageLicense> PackageLicenses { get; } = [];

    public List<(string Id, string Version, bool InGraph)> Packages { get; } = [];

    public HashSet<string> PackagesWithoutAssets { get; } = [];

    /// <summary>Items of the project that only the enterprise edition has.</summary>
    public List<SourceItem> EnterpriseOnly { get; } = [];

    public List<string> DepsNames { get; } = [];

    public bool IsPublic { get; set; } = true;

    public bool EnterpriseIsBuilt { get; set; }

    public bool EnterpriseHasPdb { get; set; } = true;

    public string CommunityLicense { get; set; } = "MIT";

    public string StaticWebAssetsManifest { get; set; } = "";

    /// <summary>Runs when the publish folder is complete: what happens behind the build's back.</summary>
    public Action? AfterPublish { get; set; }

    public string At(string path) => Path.Combine(Root, path);

    public string Write(string path, string content) => Write(path, Encoding.UTF8.GetBytes(content));

    public string Write(string path, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(path))!);
        File.WriteAllBytes(At(path), content);
        return At(path);
    }

    /// <summary>Publishes a copy of a file, with the item that says so.</summary>
    public PublishItem Publish(string path, string source, Func<PublishItem, PublishItem>? with = null)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(PublishFolder, path))!);
        File.Copy(source, Path.Combine(PublishFolder, path), overwrite: true);
        var item = new PublishItem { SourcePath = source, RelativePath = path, DefinedIn = At("src/Api/Api.csproj") };
        Items.Add(with?.Invoke(item) ?? item);
        return Items[^1];
    }

    /// <summary>Adds a source to the service's compilation.</summary>
    public void Compile(string source, string? name = null, bool isListed = true, string[]? types = null)
    {
        if (isListed)
        {
            Compiled.Add(new("Compile", source));
        }

        ApiDocuments.Add(new(name ?? "/_/" + Path.GetRelativePath(Root, source), File.ReadAllBytes(source), Types: types));
    }

    public void AddPackage(string id, string version, string license, bool inGraph = true, bool hasAssets = true)
    {
        var folder = $"packages/{id.ToLowerInvariant()}/{version}";
        Write($"{folder}/{id.ToLowerInvariant()}.nuspec", $"<package xmlns=\"http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd\"><metadata><id>{id}</id><version>{version}</version>{license}</metadata></package>");
        if (!hasAssets)
        {
            // Only build files: what they copy or compile is in no list of the assets file.
            Packages.Add((id, version, inGraph));
            PackagesWithoutAssets.Add(id);
            return;
        }

        var dll = Write($"{folder}/lib/net10.0/{id}.dll", $"not really an assembly of {id}, but its bytes all the same");
        Publish($"{id}.dll", dll, i => i with { PackageId = id, PackageVersion = version, PathInPackage = $"lib/net10.0/{id}.dll" });
        Packages.Add((id, version, inGraph));
    }

    /// <summary>Builds the enterprise library, as its own build leaves it in bin.</summary>
    public string BuildEntLib(bool hasPdb = true)
    {
        var path = At("src/Ent.Lib/bin/Ent.Lib.dll");
        new FakeAssembly
        {
            Name = "Ent.Lib", HasPdb = hasPdb,
            Documents = [new("/_/src/Ent.Lib/Ent.cs", File.ReadAllBytes(EntSource), Types: ["Ent.Lib.RoleMatrix"])],
            Resources = [("Ent.Lib.Texts.resources", Encoding.UTF8.GetBytes(new string('r', 100)))],
        }.Write(path);
        return path;
    }

    public async Task<EditionsOutput> JudgeAsync(bool isWallOn = true)
    {
        var api = At("src/Api/obj/community/Api.dll");
        new FakeAssembly { Name = "Api", HasPdb = ApiHasPdb, Documents = ApiDocuments, Types = ApiTypes, Resources = ApiResources, Friends = ApiFriends }.Write(api);
        Own(OwnFileKind.Assembly, api, "Api.dll");
        if (ApiHasPdb)
        {
            Own(OwnFileKind.Symbols, Path.ChangeExtension(api, ".pdb"), "Api.pdb");
        }

        var core = At("src/Core/bin/Core.dll");
        new FakeAssembly { Name = "Core", HasPdb = CoreHasPdb, Documents = [new("/_/src/Core/Core.cs", File.ReadAllBytes(CoreSource), Types: ["Acme.Core.Clock"]), .. CoreDocuments] }.Write(core);
        Publish("Core.dll", core, i => i with { ReferenceSourceTarget = "ProjectReference", SourceProject = At("src/Core/Core.csproj") });
        var extra = string.Concat(DepsNames.Select(n => $$""","{{n}}/1.0.0":{"type":"project"}"""));
        var deps = Write("src/Api/obj/community/Api.deps.json", "{\"runtimeTarget\":{\"name\":\"net10.0\"},\"targets\":{\"net10.0\":{\"Api/1.0.0\":{\"dependencies\":{\"Core\":\"1.0.0\"}}}},"
            + "\"libraries\":{\"Api/1.0.0\":{\"type\":\"project\"},\"Core/1.0.0\":{\"type\":\"project\"}" + extra + "}}");
        Own(OwnFileKind.DependencyFile, deps, "Api.deps.json");
        Own(OwnFileKind.RuntimeConfig, Write("src/Api/obj/community/Api.runtimeconfig.json", "{}"), "Api.runtimeconfig.json");
        var inGraph = string.Concat(Packages.Where(p => p.InGraph).Select(p => $",\"{p.Id}/{p.Version}\":{{\"type\":\"package\",\"runtime\":{{{(PackagesWithoutAssets.Contains(p.Id) ? "" : $"\"lib/net10.0/{p.Id}.dll\":{{}}")}}} }}"));
        var libraries = string.Concat(Packages.Select(p => $",\"{p.Id}/{p.Version}\":{{\"type\":\"package\",\"path\":\"{p.Id.ToLowerInvariant()}/{p.Version}\"}}"));
        var assets = Write("src/Api/obj/community/project.assets.json", "{\"version\":3,\"targets\":{\"net10.0\":{},\"net10.0/linux-x64\":{\"Core/1.0.0\":{\"type\":\"project\"}" + inGraph + "}},"
            + "\"libraries\":{\"Core/1.0.0\":{\"type\":\"project\",\"path\":\"../Core/Core.csproj\"}" + libraries + "},"
            + "\"packageFolders\":{\"" + At("packages") + "/\":{}},\"project\":{\"frameworks\":{\"net10.0\":{}}}}");
        AfterPublish?.Invoke();

        var community = new EditionInput
        {
            Name = "community", License = isWallOn ? CommunityLicense : "", PublicDestinations = IsPublic ? ["docker.io/acme/api"] : [], PackageLicenses = PackageLicenses,
            Projects = [Api("community", Content, LicensedPaths, Removed), Core("community"), .. MoreProjects],
            Platforms =
            [
                new()
                {
                    RuntimeIdentifier = "linux-x64", PublishDirectory = PublishFolder, Items = Items, OwnFiles = OwnFiles, Compiled = Compiled, AssetsFile = assets, TargetFramework = "net10.0",
                    IntermediateDirectory = At("src/Api/obj/community/"), SourceRoots = [new(Root + "/", "/_/")], StaticWebAssetsManifest = StaticWebAssetsManifest,
                },
            ],
        };
        var enterprise = new EditionInput
        {
            Name = "enterprise", License = "BUSL-1.1",
            Projects =
            [
                Api("enterprise", [.. Content, new("Compile", SamlPath), new("Content", Script), .. EnterpriseItems], [.. LicensedPaths, new(SamlPath, "BUSL-1.1", At("src/Api/Api.csproj")), new(Script, "BUSL-1.1", At("src/Api/Api.csproj"))], []),
                Core("enterprise"),
                Project("Ent.Lib", "enterprise", [new("Compile", EntSource), .. EnterpriseOnly]) with { ReferenceLicenses = EntReferenceLicenses },
            ],
            Platforms = EnterpriseIsBuilt ? [EnterpriseBuild()] : [],
        };
        return await EditionsStage.RunAsync(new([community, enterprise]), CancellationToken.None);
    }

    public ProjectFacts Project(string name, string edition, IReadOnlyList<SourceItem> items)
        => new() { File = At($"src/{name}/{name}.csproj"), AssemblyName = name, IntermediateDirectory = At($"src/{name}/obj/{edition}"), Items = items };

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private void Own(OwnFileKind kind, string source, string path)
    {
        Directory.CreateDirectory(PublishFolder);
        File.Copy(source, Path.Combine(PublishFolder, path), overwrite: true);
        OwnFiles.Add(new(kind, source, path));
    }

    private ProjectFacts Api(string edition, IReadOnlyList<SourceItem> more, IReadOnlyList<LicensedPath> licensed, IReadOnlyList<RemovedItem> removed)
        => Project("Api", edition, [new("Compile", Program), .. more]) with { LicensedPaths = licensed, Removed = removed, DeclaringFiles = DeclaringFiles, References = [At("src/Core/Core.csproj"), .. ApiReferences] };

    private ProjectFacts Core(string edition) => Project("Core", edition, [new("Compile", CoreSource)]) with { References = CoreReferences };

    private PlatformEvidence EnterpriseBuild()
    {
        var folder = Directory.CreateDirectory(At("publish-enterprise")).FullName;
        var obj = Directory.CreateDirectory(At("src/Api/obj/enterprise")).FullName;
        var api = Path.Combine(obj, "Api.dll");
        new FakeAssembly
        {
            Name = "Api", HasPdb = EnterpriseHasPdb,
            Documents = [new("/_/src/Api/Program.cs", File.ReadAllBytes(Program), Types: ["Acme.Api.Endpoints"]), new("/_/src/Api/Enterprise/Saml.cs", File.ReadAllBytes(SamlPath), Types: ["Acme.Enterprise.SamlAssertionConsumer"])],
        }.Write(api);
        File.Copy(api, Path.Combine(folder, "Api.dll"), overwrite: true);
        var ent = At("src/Ent.Lib/bin/Ent.Lib.dll");
        if (!File.Exists(ent))
        {
            BuildEntLib();
        }

        File.Copy(ent, Path.Combine(folder, "Ent.Lib.dll"), overwrite: true);
        return new()
        {
            RuntimeIdentifier = "linux-x64", PublishDirectory = folder, IntermediateDirectory = obj, SourceRoots = [new(Root + "/", "/_/")],
            OwnFiles = [new(OwnFileKind.Assembly, api, "Api.dll")],
            Items = [new() { SourcePath = ent, RelativePath = "Ent.Lib.dll", ReferenceSourceTarget = "ProjectReference", SourceProject = At("src/Ent.Lib/Ent.Lib.csproj") }],
        };
    }
}
