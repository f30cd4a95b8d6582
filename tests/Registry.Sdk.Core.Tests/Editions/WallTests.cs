using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Editions;

/// <summary>Leaks that a hurried engineer plants, and what looks like one and is none.</summary>
public class WallTests
{
    /// <summary>What is planted; the code it must give, a text in the message, and a file of the bill that is or holds it.</summary>
    private static readonly Dictionary<string, (string Code, string Names, string Ships, Action<WallRepo> Plant)> Plants = new()
    {
        ["BUSL source compiled by link"] = ("RSDK3030", "src/Api/Enterprise/Saml.cs", "Core.dll", r =>
            r.CoreDocuments.Add(new("/_/src/Api/Enterprise/Saml.cs", File.ReadAllBytes(r.SamlPath)))),
        ["source added by a target, only the compiler's list has it"] = ("RSDK3030", "src/Api/Enterprise/Saml.cs", "Api.dll", r =>
        {
            r.ApiHasPdb = false;
            r.Compiled.Add(new("Compile", r.SamlPath));
        }),
        ["renamed DLL"] = ("RSDK3038", "Ent.Lib", "Newtonsoft.dll", r => r.Publish("Newtonsoft.dll", r.BuildEntLib())),
        ["renamed DLL whose name was changed inside, too"] = ("RSDK3038", "Ent.Lib.RoleMatrix", "Other.dll", r =>
        {
            r.EnterpriseIsBuilt = true;
            new FakeAssembly { Name = "Other", HasPdb = false, Types = ["Ent.Lib.RoleMatrix"] }.Write(r.At("Other.dll"));
            r.Publish("Other.dll", r.At("Other.dll"));
        }),
        ["embedded resource"] = ("RSDK3041", "src/Api/Enterprise/admin.js", "Api.dll", r => r.ApiResources.Add(("Acme.texts.js", File.ReadAllBytes(r.Script)))),
        ["embedded resource in the compiler's list"] = ("RSDK3041", "src/Api/Enterprise/admin.js", "Api.dll", r => r.Compiled.Add(new("EmbeddedResource", r.Script))),
        ["resource compiled from a .resx of the other edition"] = ("RSDK3041", "Ent.Lib.Texts.resources", "Api.dll", r =>
        {
            r.EnterpriseIsBuilt = true;
            r.ApiResources.Add(("Api.Texts.resources", Encoding.UTF8.GetBytes(new string('r', 100))));
        }),
        ["satellite"] = ("RSDK3038", "Ent.Lib.resources", "de/Texts.resources.dll", r =>
        {
            new FakeAssembly { Name = "Ent.Lib.resources", Culture = "de", HasPdb = false, Resources = [("Ent.Lib.Texts.de.resources", new byte[100])] }.Write(r.At("satellite.dll"));
            r.Publish("de/Texts.resources.dll", r.At("satellite.dll"));
        }),
        ["static web asset"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/js/x.a1b2.js.gz", r =>
        {
            var packed = Gzip(File.ReadAllBytes(r.Script));
            r.Write("publish/wwwroot/js/x.a1b2.js.gz", packed);
            r.StaticWebAssetsManifest = r.Write("src/Api/obj/community/staticwebassets.publish.json", $$"""
                {"Version":1,"Assets":[{"Identity":"{{r.At("src/Api/obj/community/x.gz")}}","SourceId":"Api","SourceType":"Discovered","RelatedAsset":"{{r.Script}}","RelativePath":"js/x#[.{fingerprint}]?.js.gz","Integrity":"{{Convert.ToBase64String(SHA256.HashData(packed))}}"}]}
                """);
        }),
        ["copied script"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/app.js", r => r.Publish("wwwroot/app.js", r.Script)),
        ["file under another name"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "data.bin", r => r.Publish("data.bin", r.Write("src/Api/data.bin", File.ReadAllBytes(r.Script)))),
        ["compressed by hand"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "x.gz", r => r.Publish("x.gz", r.Write("src/Api/x.gz", Gzip(File.ReadAllBytes(r.Script))))),
        ["package pulled transitively"] = ("RSDK3033", "Acme.Commercial", "Acme.Commercial.dll", r => r.AddPackage("Acme.Commercial", "1.2.3", "<license type=\"expression\">BUSL-1.1</license>")),
        ["package that evaluation removed and another brings in again"] = ("RSDK3033", "Quiet", "Quiet.dll", r =>
        {
            r.IsPublic = false;
            r.AddPackage("Quiet", "1.0.0", "<license type=\"expression\">MIT</license>");
            r.Removed.Add(new("PackageReference", "Quiet", "BUSL-1.1"));
        }),
        ["package without a licence"] = ("RSDK3034", "Mystery", "Mystery.dll", r => r.AddPackage("Mystery", "1.0.0", "<licenseUrl>https://example.com/terms</licenseUrl>")),
        ["project reference through a third project"] = ("RSDK3032", "Api.csproj -> Core.csproj -> Ent.Lib.csproj", "Ent.Lib.dll", r =>
        {
            r.CoreReferences.Add(r.At("src/Ent.Lib/Ent.Lib.csproj"));
            r.MoreProjects.Add(r.Project("Ent.Lib", "community", [new("Compile", r.EntSource)]) with { ReferenceLicenses = ["BUSL-1.1"] });
            r.Publish("Ent.Lib.dll", r.BuildEntLib(), i => i with { ReferenceSourceTarget = "ProjectReference", SourceProject = r.At("src/Ent.Lib/Ent.Lib.csproj") });
        }),
        ["stale file in obj"] = ("RSDK3037", "src/Api/Program.cs", "Api.dll", r => r.ApiDocuments[0] = r.ApiDocuments[0] with { Content = Encoding.UTF8.GetBytes(WallRepo.Saml + "// old") }),
        ["stale file in the publish folder"] = ("RSDK3035", "Old.dll", "Old.dll", r => r.Write("publish/Old.dll", "left over")),
        ["missing PDB"] = ("RSDK3036", "Vendor.dll", "Vendor.dll", r =>
        {
            new FakeAssembly { Name = "Vendor", HasPdb = false, Types = ["Vendor.Thing"] }.Write(r.At("lib.dll"));
            r.Publish("Vendor.dll", r.At("lib.dll"), i => i with { ReferenceSourceTarget = "ResolveAssemblyReference", ResolvedFrom = "{HintPathFromItem}" });
        }),
        ["assembly with the PDB of another"] = ("RSDK3036", "another build", "Vendor.dll", r =>
        {
            new FakeAssembly { Name = "Vendor", Types = ["Vendor.Other"] }.Write(r.At("Vendor.dll"));
            var pdb = File.ReadAllBytes(r.At("Vendor.pdb"));
            new FakeAssembly { Name = "Vendor", Types = ["Vendor.Thing"] }.Write(r.At("Vendor.dll"));
            File.WriteAllBytes(r.At("Vendor.pdb"), pdb);
            r.Publish("Vendor.dll", r.At("Vendor.dll"));
        }),
        ["licensed file copied elsewhere with header and white space changed"] = ("RSDK3030", "src/Api/Enterprise/Saml.cs", "Api.dll", r =>
            r.Compile(r.Write("src/Api/Login.cs", "// Copyright Acme, MIT\r\n" + WallRepo.Saml.Replace("    ", "\t").Replace("\n", "\r\n") + "/* the end */"))),
        ["wrong-case path"] = ("RSDK3030", "src/Api/Premium/Vault.cs", "Api.dll", r =>
        {
            r.Write("src/Api/Api.csproj", "<Project><ItemGroup><LicensedPath Include=\"premium/**\"><License>BUSL-1.1</License></LicensedPath></ItemGroup></Project>");
            r.Compile(r.Write("src/Api/Premium/Vault.cs", "namespace Acme; class Vault { }"));
        }),
        ["folder as LicensedPath"] = ("RSDK3030", "src/Api/Premium/Vault.cs", "Api.dll", r =>
        {
            r.Write("src/Api/Api.csproj", "<Project><ItemGroup><LicensedPath Include=\"Premium\" License=\"BUSL-1.1\" /></ItemGroup></Project>");
            r.Compile(r.Write("src/Api/Premium/Vault.cs", "namespace Acme; class Vault { }"));
        }),
        ["copied script of one line"] = ("RSDK3031", "src/Api/Enterprise/drag.js", "wwwroot/move.js", r =>
        {
            r.LicensedPaths.Add(new(r.Write("src/Api/Enterprise/drag.js", "export const drag = e => e.target.setAttribute('x', 1);\n"), "BUSL-1.1", r.At("src/Api/Api.csproj")));
            r.Publish("wwwroot/move.js", r.Write("src/Api/wwwroot/move.js", "export const drag = e => e.target.setAttribute('x', 1);\n"));
        }),
        ["symlink"] = ("RSDK3030", "src/Api/Enterprise/Saml.cs", "Api.dll", r =>
        {
            File.CreateSymbolicLink(r.At("src/Api/Link.cs"), r.SamlPath);
            r.Compiled.Add(new("Compile", r.At("src/Api/Link.cs")));
            r.ApiHasPdb = false;
        }),
        ["symlinked folder, in the PDB"] = ("RSDK3030", "src/Api/Enterprise/Tiny.cs", "Api.dll", r =>
        {
            r.LicensedPaths.Add(new(r.Write("src/Api/Enterprise/Tiny.cs", "class T;"), "BUSL-1.1", r.At("src/Api/Api.csproj")));
            Directory.CreateSymbolicLink(r.At("src/Api/Alias"), r.At("src/Api/Enterprise"));
            r.ApiDocuments.Add(new("/_/src/Api/Alias/Tiny.cs", [.. "class T;"u8]));
        }),
        ["source generator output"] = ("RSDK3030", "src/Api/Enterprise/Saml.cs", "Api.dll", r =>
            r.ApiDocuments.Add(new("/_/src/Api/obj/community/Gen/Gen.It/x.g.cs", Encoding.UTF8.GetBytes("// <auto-generated/>\n#nullable enable\n" + WallRepo.Saml + "internal static class Registered { }"), IsEmbedded: true))),
        ["source generator input"] = ("RSDK3030", "src/Api/Enterprise/admin.js", "Api.dll", r => r.Compiled.Add(new("AdditionalFiles", r.Script))),
        ["merged assembly"] = ("RSDK3038", "Ent.Lib.RoleMatrix", "Api.dll", r =>
        {
            r.EnterpriseIsBuilt = true;
            r.ApiTypes.Add("Ent.Lib.RoleMatrix");
        }),
        ["content added by a target after our list was taken"] = ("RSDK3035", "late.txt", "late.txt", r => r.AfterPublish = () => r.Write("publish/late.txt", "late")),
        ["file that is not what the build copied"] = ("RSDK3035", "appsettings.json", "appsettings.json", r => r.AfterPublish = () => r.Write("publish/appsettings.json", "{ \"other\": true }")),
        ["poisoned package file"] = ("RSDK3040", "no such package", "Extra.dll", r => r.AddPackage("Extra", "1.0.0", "<license type=\"expression\">MIT</license>", inGraph: false)),
        ["package file with other bytes"] = ("RSDK3040", "Dapper.dll", "Dapper.dll", r => r.AfterPublish = () => r.Write("publish/Dapper.dll", "something else")),
        ["source map with the source in it"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/app.js.map", r =>
            r.Publish("wwwroot/app.js.map", r.Write("src/Api/wwwroot/app.js.map", System.Text.Json.JsonSerializer.Serialize(new { version = 3, sources = new[] { "webpack:///x.js" }, sourcesContent = new[] { "/* bundled */ " + File.ReadAllText(r.Script) }, mappings = "" })))),
        ["source map that names the source"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/app.js.map", r =>
            r.Publish("wwwroot/app.js.map", r.Write("src/Api/wwwroot/app.js.map", "{\"version\":3,\"sources\":[\"../Enterprise/admin.js\"],\"mappings\":\"\"}"))),
        ["XML documentation"] = ("RSDK3031", "Acme.Enterprise.SamlAssertionConsumer", "Api.xml", r =>
            r.Publish("Api.xml", r.Write("src/Api/obj/community/Api.xml", "<doc><assembly><name>Api</name></assembly><members><member name=\"M:Acme.Enterprise.SamlAssertionConsumer.ConsumeAssertion(System.String)\"/></members></doc>"))),
        ["deps.json entry"] = ("RSDK3039", "Ent.Lib", "Api.deps.json", r => r.DepsNames.Add("Ent.Lib")),
        ["deps.json entry that nobody knows"] = ("RSDK3039", "Ghost", "Api.deps.json", r => r.DepsNames.Add("Ghost")),
        ["pasted into a bigger file"] = ("RSDK3030", "src/Api/Enterprise/Saml.cs", "Api.dll", r =>
            r.Compile(r.Write("src/Api/Big.cs", string.Concat(Enumerable.Range(0, 400).Select(i => $"// filler\nclass Filler{i} {{ public string Value{i} => \"the value of number {i}\"; }}\n")) + WallRepo.Saml.Replace("class SamlAssertionConsumer", "class Login")))),
        ["hand-copied assembly of the other edition"] = ("RSDK3038", "as edition enterprise compiles it", "Api.Old.dll", r =>
        {
            r.EnterpriseIsBuilt = true;
            r.AfterPublish = () => r.Items.Add(new() { SourcePath = r.At("src/Api/obj/enterprise/Api.dll"), RelativePath = "Api.Old.dll" });
            var twin = r.At("src/Api/tools/Api.dll");
            Directory.CreateDirectory(Path.GetDirectoryName(twin)!);
            new FakeAssembly
            {
                Name = "Api",
                Documents = [new("/_/src/Api/Program.cs", File.ReadAllBytes(r.Program), Types: ["Acme.Api.Endpoints"]), new("/_/src/Api/Enterprise/Saml.cs", File.ReadAllBytes(r.SamlPath), Types: ["Acme.Enterprise.SamlAssertionConsumer"])],
            }.Write(twin);
            File.Delete(Path.ChangeExtension(twin, ".pdb"));
            r.Write("publish/Api.Old.dll", File.ReadAllBytes(twin));
        }),
        ["licence header only"] = ("RSDK3030", "src/Api/Rbac.cs", "Api.dll", r => r.Compile(r.Write("src/Api/Rbac.cs", "#!shebang\n\n /* Copyright\n * SPDX-License-Identifier: BUSL-1.1 */\nclass R;"))),
        ["REUSE side file"] = ("RSDK3031", "logo.png", "logo.png", r =>
        {
            var logo = r.Write("src/Api/logo.png", [0x89, 0x50, 0x4E, 0x47, 0, 1, 2, 3]);
            r.Write("src/Api/logo.png.license", "SPDX-FileCopyrightText: Acme\nSPDX-License-Identifier: LicenseRef-Acme\n");
            r.Publish("logo.png", logo);
        }),
        ["InternalsVisibleTo"] = ("RSDK3039", "Ent.Lib", "Api.dll", r => r.ApiFriends.Add("Ent.Lib")),
        ["undeclared file of an enterprise-only project"] = ("RSDK3030", "src/Ent.Lib/Ent.cs", "Api.dll", r =>
        {
            r.EntReferenceLicenses.Clear();
            r.Compile(r.EntSource);
        }),
        ["symbols of the other edition"] = ("RSDK3030", "src/Ent.Lib/Ent.cs", "x.pdb", r =>
        {
            r.BuildEntLib();
            r.Publish("x.pdb", r.Write("src/Api/x.pdb", File.ReadAllBytes(r.At("src/Ent.Lib/bin/Ent.Lib.pdb"))));
        }),
        ["bundled into a single file"] = ("RSDK3038", "Ent.Lib", "Core.dll", r =>
            r.Items.Add(new() { SourcePath = r.BuildEntLib(), RelativePath = "Ent.Lib.dll", IsBundled = true })),
        ["package that ships only what its build files copy"] = ("RSDK3033", "Acme.Assets", "vault.bin", r =>
        {
            r.AddPackage("Acme.Assets", "1.0.0", "<license type=\"expression\">BUSL-1.1</license>", hasAssets: false);
            r.Publish("vault.bin", r.Write("packages/acme.assets/1.0.0/build/vault.bin", "bytes that a target of the package copies"));
        }),
        ["package whose source is compiled in by its build files"] = ("RSDK3033", "Acme.Sources", "Api.dll", r =>
        {
            r.AddPackage("Acme.Sources", "1.0.0", "<license type=\"expression\">BUSL-1.1</license>", hasAssets: false);
            r.ApiDocuments.Add(new(r.Write("packages/acme.sources/1.0.0/build/Vault.cs", "namespace Acme; class Vault;"), [.. "namespace Acme; class Vault;"u8]));
        }),
        ["package asset of a manifest that is not in the package's folder"] = ("RSDK3040", "wwwroot/x.js", "wwwroot/x.js", r =>
        {
            var planted = r.Write("publish/wwwroot/x.js", "export const planted = 'under the name of a package';");
            r.StaticWebAssetsManifest = r.Write("src/Api/obj/community/staticwebassets.publish.json", $$"""
                {"Version":1,"Assets":[{"Identity":"{{r.At("src/Api/x.js")}}","SourceId":"Dapper","SourceType":"Package","RelatedAsset":"","RelativePath":"x.js","Integrity":"{{Convert.ToBase64String(SHA256.HashData(File.ReadAllBytes(planted)))}}"}]}
                """);
        }),
        ["restricted script under the name of a package's asset"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/x.js", r =>
        {
            r.Write("publish/wwwroot/x.js", File.ReadAllBytes(r.Script));
            r.StaticWebAssetsManifest = r.Write("src/Api/obj/community/staticwebassets.publish.json", $$"""
                {"Version":1,"Assets":[{"Identity":"{{r.At("packages/dapper/2.0.0/staticwebassets/x.js")}}","SourceId":"Dapper","SourceType":"Package","RelatedAsset":"","RelativePath":"x.js","Integrity":"{{Convert.ToBase64String(SHA256.HashData(File.ReadAllBytes(r.Script)))}}"}]}
                """);
        }),
        ["file from the other edition's obj"] = ("RSDK3035", "src/Api/obj/enterprise/client.js", "client.js", r =>
        {
            r.EnterpriseIsBuilt = true;
            r.Publish("client.js", r.Write("src/Api/obj/enterprise/client.js", "export const generated = 'from what only the enterprise edition has';"));
        }),
        ["pasted into three files, so that its lines are everyone's"] = ("RSDK3030", "src/Api/Enterprise/Large.cs", "Api.dll", r =>
        {
            var large = string.Concat(Enumerable.Range(0, 30).Select(i => $"    public string Licensed{i}(string tenant) => tenant + \"/{i}\";\n"));
            r.LicensedPaths.Add(new(r.Write("src/Api/Enterprise/Large.cs", $"namespace Acme;\npublic static class Large\n{{\n{large}}}\n"), "BUSL-1.1", r.At("src/Api/Api.csproj")));
            foreach (var name in new[] { "One", "Two", "Three" })
            {
                r.Compile(r.Write($"src/Api/{name}.cs", $"namespace Acme;\npublic static class {name}\n{{\n    public const string Own{name} = \"{name} is a file of this edition\";\n{large}}}\n"));
            }
        }),
        ["script of few lines in a bundle"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/bundle.js", r =>
            r.Publish("wwwroot/bundle.js", r.Write("src/Api/wwwroot/bundle.js", "(()=>{const a=1;" + File.ReadAllText(r.Script).Replace("\n", "").Replace("  ", "") + "console.log(a)})();"))),
        ["source map of many megabytes"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/app.js.map", r =>
            r.Publish("wwwroot/app.js.map", r.Write("src/Api/wwwroot/app.js.map", System.Text.Json.JsonSerializer.Serialize(new { version = 3, sources = new[] { "x.js" }, sourcesContent = new[] { File.ReadAllText(r.Script) }, mappings = new string('A', 9_000_000) })))),
        ["source map in sections"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/app.js.map", r =>
            r.Publish("wwwroot/app.js.map", r.Write("src/Api/wwwroot/app.js.map", System.Text.Json.JsonSerializer.Serialize(new { version = 3, sections = new[] { new { offset = new { line = 0, column = 0 }, map = new { version = 3, sources = new[] { "x.js" }, sourcesContent = new[] { File.ReadAllText(r.Script) }, mappings = "" } } } })))),
        ["source map inside the script"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "wwwroot/app.js", r =>
            r.Publish("wwwroot/app.js", r.Write("src/Api/wwwroot/app.js", "console.log(1);\n//# sourceMappingURL=data:application/json;charset=utf-8;base64," + Convert.ToBase64String(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { version = 3, sources = new[] { "x.ts" }, sourcesContent = new[] { File.ReadAllText(r.Script) }, mappings = "" })) + "\n"))),
        ["zipped"] = ("RSDK3031", "src/Api/Enterprise/admin.js", "assets.dat", r =>
        {
            using var buffer = new MemoryStream();
            using (var zip = new ZipArchive(buffer, ZipArchiveMode.Create, leaveOpen: true))
            using (var entry = zip.CreateEntry("deep/x.js").Open())
            {
                entry.Write(File.ReadAllBytes(r.Script));
            }

            r.Publish("assets.dat", r.Write("src/Api/assets.dat", buffer.ToArray()));
        }),
        ["copy with the line ends of an old Mac"] = ("RSDK3030", "src/Api/Enterprise/Saml.cs", "Api.dll", r => r.Compile(r.Write("src/Api/Mac.cs", "// copied\r" + WallRepo.Saml.Replace("\n", "\r")))),
        ["licence header behind the copyright, on one line"] = ("RSDK3030", "src/Api/Rbac.cs", "Api.dll", r => r.Compile(r.Write("src/Api/Rbac.cs", "// Copyright (c) Acme, Inc. All rights reserved. SPDX-License-Identifier: BUSL-1.1\nclass R;"))),
        ["licence header and code on one line"] = ("RSDK3031", "src/Api/x.js", "x.js", r => r.Publish("x.js", r.Write("src/Api/x.js", "/*! vault 1.2 | SPDX-License-Identifier: BUSL-1.1 */!function(){}();"))),
        ["merged assembly while the other edition has no PDB"] = ("RSDK3038", "Acme.Enterprise.SamlAssertionConsumer", "Api.dll", r =>
        {
            (r.EnterpriseIsBuilt, r.EnterpriseHasPdb) = (true, false);
            r.ApiTypes.Add("Acme.Enterprise.SamlAssertionConsumer");
        }),
        ["merged assembly while the other edition is not built"] = ("RSDK3038", "Ent.Lib.RoleMatrix", "Api.dll", r =>
        {
            r.ApiHasPdb = false;
            r.ApiTypes.Add("Ent.Lib.RoleMatrix");
        }),
    };

    public static TheoryData<string> Names() => [.. Plants.Keys];

    [Fact]
    public async Task What_is_clean_passes_and_every_file_has_an_origin_and_a_licence()
    {
        using var repo = new WallRepo { EnterpriseIsBuilt = true };
        var judged = await repo.JudgeAsync();
        Assert.Empty(judged.Diagnostics);
        var bill = Assert.Single(judged.Editions[0].Bills);
        Assert.Equal(["Api.deps.json", "Api.dll", "Api.pdb", "Api.runtimeconfig.json", "Core.dll", "Dapper.dll", "appsettings.json"], bill.Files.Select(f => f.Path));
        Assert.All(bill.Files, f => Assert.False(f.Origin.Kind is OriginKind.Unexplained or OriginKind.NotJudged || f.License is null || f.LicenseSource.Length == 0, f.Path));
        Assert.Equal((OriginKind.Package, "Dapper/2.0.0", "Apache-2.0", "nuspec"), bill.Files.Where(f => f.Path == "Dapper.dll").Select(f => (f.Origin.Kind, f.Origin.Name, f.License, f.LicenseSource)).Single());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_planted_leak_is_found_and_named(string name)
    {
        var (code, names, ships, plant) = Plants[name];
        using var repo = new WallRepo();
        plant(repo);
        var judged = await repo.JudgeAsync();
        Assert.True(judged.Diagnostics.Any(d => d.Code == code && d.IsError && d.Message.Contains(names, StringComparison.Ordinal)), string.Join('\n', judged.Diagnostics));
        Assert.All(judged.Diagnostics, d => Assert.DoesNotContain('\n', d.Message));

        // The evidence is there although it failed.
        Assert.Contains(judged.Editions[0].Bills[0].Files, f => f.Path == ships);
        Assert.NotEmpty(judged.Editions[0].WallMarkdown);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task With_the_wall_off_the_same_leak_ships(string name)
    {
        var (_, _, ships, plant) = Plants[name];
        using var repo = new WallRepo();
        plant(repo);
        var judged = await repo.JudgeAsync(isWallOn: false);
        Assert.DoesNotContain(judged.Diagnostics, d => d.IsError && !d.Message.Contains("enterprise", StringComparison.Ordinal));
        var file = Assert.Single(judged.Editions[0].Bills[0].Files, f => f.Path == ships);
        Assert.Equal(FileOrigin.NotJudged, file.Origin);
        Assert.Empty(judged.Editions[0].BillJson);
    }

    /// <summary>What looks like a leak and is none. Nothing may be said of it.</summary>
    private static readonly Dictionary<string, Action<WallRepo>> Harmless = new()
    {
        ["equal imports of views"] = r =>
        {
            const string Imports = "@using Acme.Api.Models.Accounts\n@namespace Acme.Api.Pages\n@addTagHelper *, Microsoft.AspNetCore.Mvc.TagHelpers\n";
            r.LicensedPaths.Add(new(r.Write("src/Api/Enterprise/_ViewImports.cshtml", Imports), "BUSL-1.1", r.At("src/Api/Api.csproj")));
            r.Publish("_ViewImports.cshtml", r.Write("src/Api/Pages/_ViewImports.cshtml", Imports));
        },
        ["small files that are alike"] = r =>
        {
            var small = r.Write("src/Api/Enterprise/_Imports.razor", "@using Acme\n");
            r.EnterpriseItems.Add(new("Content", small, "BUSL-1.1"));
            r.Publish("same.txt", r.Write("src/Api/same.txt", "@using Acme\n"));
        },
        ["generated files on disk and without text"] = r =>
        {
            r.Compile(r.Write("src/Api/obj/community/Api.AssemblyInfo.cs", "[assembly: System.Reflection.AssemblyTitle(\"Api\")]"), isListed: false);
            r.ApiDocuments.Add(new("/_/src/Api/obj/community/Razor/Index_razor.g.cs", [.. "// generated"u8], IsEmbedded: true));
        },
        ["a Razor document"] = r =>
        {
            var page = r.Write("src/Api/Pages/Index.razor", "@page \"/\"\n<h1>The community edition says hello to everybody</h1>\n");
            r.Content.Add(new("Content", page));
            r.ApiDocuments.Add(new("/_/src/Api/Pages/Index.razor", File.ReadAllBytes(page)));
        },
        ["one type name in both editions, from sources of their own"] = r =>
        {
            r.EnterpriseIsBuilt = true;
            r.Compile(r.Write("src/Api/Community/Saml.cs", "namespace Acme.Enterprise; public sealed class SamlAssertionConsumer { public string Nothing => \"is not in this edition of the service\"; }"), types: ["Acme.Enterprise.SamlAssertionConsumer"]);
        },
        ["usual licences of packages"] = r =>
        {
            r.AddPackage("A", "1.0.0", "<license type=\"expression\">MIT OR GPL-2.0-only</license>");
            r.AddPackage("B", "1.0.0", "<licenseUrl>https://licenses.nuget.org/Apache-2.0%20OR%20MIT</licenseUrl>");
            r.AddPackage("C", "1.0.0", "<licenseUrl>http://www.apache.org/licenses/LICENSE-2.0</licenseUrl>");
            r.AddPackage("D", "1.0.0", "<licenseUrl>https://opensource.org/licenses/MIT</licenseUrl>");
        },
        ["an unknown licence that a PackageLicense item states"] = r =>
        {
            r.AddPackage("Mystery", "1.0.0", "<licenseUrl>https://example.com/terms</licenseUrl>");
            r.PackageLicenses.Add(new("mystery", "1.0.0", "MIT", "asked the author"));
        },
        ["unexplained in an edition that nobody can get"] = r =>
        {
            r.IsPublic = false;
            r.Write("publish/late.txt", "late");
        },
        ["a library without PDB whose project is known"] = r => r.CoreHasPdb = false,
        ["the service without PDB"] = r => r.ApiHasPdb = false,
        ["no edition has a PDB"] = r => (r.ApiHasPdb, r.EnterpriseIsBuilt, r.EnterpriseHasPdb) = (false, true, false),
        ["a DLL by HintPath with a licence"] = r =>
        {
            new FakeAssembly { Name = "Vendor", HasPdb = false, Types = ["Vendor.Thing"] }.Write(r.At("lib.dll"));
            r.Publish("Vendor.dll", r.At("lib.dll"), i => i with { ReferenceSourceTarget = "ResolveAssemblyReference", ResolvedFrom = "{HintPathFromItem}", License = "MIT" });
        },
        ["a package's source that is compiled in"] = r => r.ApiDocuments.Add(new(r.Write("packages/dapper/2.0.0/contentFiles/cs/any/Polyfill.cs", "namespace Dapper; class Polyfill;"), [.. "namespace Dapper; class Polyfill;"u8])),
        ["a friend that is a test project"] = r => r.ApiFriends.Add("Api.Tests"),
        ["a copy of an undeclared enterprise file that somebody put under an allowed licence"] = r =>
        {
            r.EntReferenceLicenses.Clear();
            var copy = r.Write("src/Api/Roles.cs", "// SPDX-License-Identifier: MIT\n" + WallRepo.Ent);
            r.Compile(copy);
        },
        ["a program that writes licence headers"] = r =>
        {
            // At the beginning of a line, and of another text that is no comment: only quotes tell them from a header.
            r.Compile(r.Write("src/Api/Stamp.cs", "class S { string H = \"// SPDX-License-Identifier: BUSL-1.1\"; }\n"));
            r.Compile(r.Write("src/Api/Stamps.cs", "class T { string[] H = [\n\"SPDX-License-Identifier: BUSL-1.1\",\n'SPDX-License-Identifier: BUSL-1.1',\n`SPDX-License-Identifier: BUSL-1.1`]; }\n"));
            r.Compile(r.Write("src/Api/StampText.cs", "/// <summary>Writes \"SPDX-License-Identifier: BUSL-1.1\" into files.</summary>\nclass U { int line = 1; var SPDX-License-Identifier: BUSL-1.1 }\n"));
        },
        ["the same global usings in projects of both editions"] = r =>
        {
            const string Usings = "global using System;\nglobal using System.Collections.Generic;\nglobal using System.Globalization;\nglobal using System.Threading.Tasks;\n";
            r.EnterpriseOnly.Add(new("Compile", r.Write("src/Ent.Lib/GlobalUsings.cs", Usings)));
            r.Compile(r.Write("src/Api/GlobalUsings.cs", Usings));
        },
        ["a script of a library with its licence on the only line"] = r => r.Publish("lib.min.js", r.Write("src/Api/lib.min.js", "/*! lib 1.2 | SPDX-License-Identifier: MIT */!function(){}();")),
        ["a type of that name with sources in this edition and without a PDB"] = r =>
        {
            r.ApiHasPdb = false;
            r.Compile(r.Write("src/Api/Roles.cs", "namespace Ent.Lib;\npublic sealed class RoleMatrix { public string Nothing => \"is granted in this edition of the service\"; }\n"));
            r.ApiTypes.Add("Ent.Lib.RoleMatrix");
        },
        ["a package's asset, compressed too"] = r =>
        {
            var asset = r.Write("packages/dapper/2.0.0/staticwebassets/x.js", "export const of = 'a package';");
            r.Write("publish/wwwroot/x.js", File.ReadAllBytes(asset));
            r.Write("publish/wwwroot/x.js.gz", Gzip(File.ReadAllBytes(asset)));
            var packed = r.Write("src/Api/obj/community/compressed/x.js.gz", Gzip(File.ReadAllBytes(asset)));
            r.StaticWebAssetsManifest = r.Write("src/Api/obj/community/staticwebassets.publish.json", $$"""
                {"Version":1,"Assets":[
                {"Identity":"{{asset}}","SourceId":"Dapper","SourceType":"Package","RelatedAsset":"","RelativePath":"x.js","Integrity":"{{Convert.ToBase64String(SHA256.HashData(File.ReadAllBytes(asset)))}}"},
                {"Identity":"{{packed}}","SourceId":"Dapper","SourceType":"Package","RelatedAsset":"{{asset}}","RelativePath":"x.js.gz","Integrity":"{{Convert.ToBase64String(SHA256.HashData(File.ReadAllBytes(packed)))}}"}]}
                """);
        },
    };

    public static TheoryData<string> HarmlessNames() => [.. Harmless.Keys];

    [Theory]
    [MemberData(nameof(HarmlessNames))]
    public async Task What_only_looks_like_a_leak_passes(string name)
    {
        using var repo = new WallRepo();
        Harmless[name](repo);
        var judged = await repo.JudgeAsync();
        Assert.True(judged.Diagnostics.Count == 0, string.Join('\n', judged.Diagnostics));
    }

    [Theory]
    [InlineData("Premium", "Premium/**")]
    [InlineData("Nowhere/**", "matches no file")]
    [InlineData("premium/*.cs", "Vault.cs")]
    public async Task A_LicensedPath_that_evaluation_does_not_match_is_a_warning_with_advice(string pattern, string advice)
    {
        using var repo = new WallRepo();
        repo.Write("src/Api/Api.csproj", $"<Project><ItemGroup><LicensedPath Include=\"{pattern};$(Other)/**\" License=\"BUSL-1.1\" /></ItemGroup></Project>");
        repo.Write("src/Api/Premium/Vault.cs", "class Vault;");
        var warning = Assert.Single((await repo.JudgeAsync()).Diagnostics);
        Assert.Equal(("RSDK3016", false), (warning.Code, warning.IsError));
        Assert.Contains(advice, warning.Message);
        Assert.Equal(repo.At("src/Api/Api.csproj"), warning.File);
    }

    [Theory]
    [InlineData("BUSL 1.1", "RSDK3015")]
    [InlineData("BSL", "RSDK3020")]
    public async Task A_first_party_licence_that_is_none_or_no_SPDX_name_is_said_with_the_item(string license, string code)
    {
        using var repo = new WallRepo();
        repo.LicensedPaths.Add(new(repo.Script, license, repo.At("src/Api/Api.csproj")));
        var said = (await repo.JudgeAsync()).Diagnostics.Single(d => d.Code == code);
        Assert.Contains("admin.js", said.Message);
        Assert.Contains(license, said.Message);
    }

    [Fact]
    public async Task The_evidence_is_stable_names_no_folder_of_the_machine_and_says_what_was_left_out()
    {
        using var repo = new WallRepo { EnterpriseIsBuilt = true };
        repo.PackageLicenses.Add(new("Dapper", "", "MIT", "see | their site"));
        repo.Removed.Add(new("Compile", repo.SamlPath, "BUSL-1.1"));
        var (first, second) = ((await repo.JudgeAsync()).Editions[0], (await repo.JudgeAsync()).Editions[0]);
        Assert.Equal((first.BillJson, first.WallMarkdown), (second.BillJson, second.WallMarkdown));
        Assert.DoesNotContain(repo.Root, first.BillJson + first.WallMarkdown);
        using var json = System.Text.Json.JsonDocument.Parse(first.BillJson);
        Assert.Equal(1, json.RootElement.GetProperty("schemaVersion").GetInt32());
        Assert.Equal("see | their site", json.RootElement.GetProperty("packageLicenses")[0].GetProperty("reason").GetString());
        Assert.Contains("| Compile | `src/Api/Enterprise/Saml.cs` | BUSL-1.1 |", first.WallMarkdown);
        Assert.Contains("`Ent.Lib`", first.WallMarkdown);
        Assert.DoesNotContain("Enterprise", first.BillJson);
        Assert.DoesNotContain("## Not compared", first.WallMarkdown);
        using var alone = new WallRepo();
        Assert.Contains("did not build edition enterprise", (await alone.JudgeAsync()).Editions[0].WallMarkdown);
    }

    [Fact]
    public async Task A_declared_licence_without_any_evidence_fails_closed_where_the_edition_is_public()
    {
        var folder = Directory.CreateTempSubdirectory("rsdk-wall-");
        File.WriteAllText(Path.Combine(folder.FullName, "Api.dll"), "whatever");
        var edition = new EditionInput { Name = "community", License = "MIT", PublicDestinations = ["docker.io/acme/api"], Platforms = [new() { PublishDirectory = folder.FullName }] };
        var judged = await EditionsStage.RunAsync(new([edition]), CancellationToken.None);
        Assert.Contains(judged.Diagnostics, d => d is { IsError: true, Code: "RSDK3035" } && d.Message.Contains("Api.dll", StringComparison.Ordinal));
        Assert.Equal("Api.dll", Assert.Single(judged.Editions[0].Bills[0].Files).Path);

        // Half of it: the build named its files, but not its projects.
        var half = edition with { Platforms = [new() { PublishDirectory = folder.FullName, OwnFiles = [new(OwnFileKind.Assembly, Path.Combine(folder.FullName, "Api.dll"), "Api.dll")], Compiled = [new("Compile", Path.Combine(folder.FullName, "a.cs"))] }] };
        Assert.False((await EditionsStage.RunAsync(new([half]), CancellationToken.None)).Succeeded);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Damaged_names_in_PDBs_maps_and_manifests_do_not_stop_the_wall()
    {
        using var repo = new WallRepo();
        repo.ApiDocuments.Add(new("/a\0b.cs", [1], IsEmbedded: true));
        repo.Publish("a.js.map", repo.Write("src/Api/a.js.map", System.Text.Json.JsonSerializer.Serialize(new { sourceRoot = "\0", sources = new[] { "\0", "x.js" }, sourcesContent = new[] { "", File.ReadAllText(repo.Script) } })));
        var file = repo.Write("publish/y.js", "let y = 0;");
        repo.StaticWebAssetsManifest = repo.Write("src/Api/obj/community/m.json", $$"""{"Assets":[{"Integrity":"{{Convert.ToBase64String(SHA256.HashData(File.ReadAllBytes(file)))}}"},{"Identity":"\u0000","Integrity":"AAAA"}]}""");
        var codes = (await repo.JudgeAsync()).Diagnostics.Select(d => d.Code).ToList();
        Assert.Contains("RSDK3031", codes); // the map's second source
        Assert.Contains("RSDK3035", codes); // the asset without an identity explains nothing
    }

    [Fact]
    public async Task A_PackageLicense_for_another_version_is_named_in_the_message()
    {
        using var repo = new WallRepo();
        repo.AddPackage("Mystery", "1.2.0", "<licenseUrl>https://example.com/terms</licenseUrl>");
        repo.PackageLicenses.Add(new("Mystery", "1.0.0", "MIT", ""));
        Assert.Contains("the PackageLicense item is for version 1.0.0", Assert.Single((await repo.JudgeAsync()).Diagnostics).Message);
    }

    [Fact]
    public async Task A_thousand_sources_a_large_map_many_archives_and_equal_lines_do_not_hang()
    {
        using var repo = new WallRepo();
        var line = "    var theSameLineInEveryFile = Compute(input, options);\n";
        for (var i = 0; i < 500; i++)
        {
            repo.EnterpriseItems.Add(new("Compile", repo.Write($"src/Api/Enterprise/Many/F{i}.cs", $"namespace Acme;\nclass E{i}\n{{\n" + string.Concat(Enumerable.Range(0, 60).Select(j => $"    int Field{i}X{j} = {i} + {j};\n")) + line + "}\n"), "BUSL-1.1"));
            repo.Compile(repo.Write($"src/Api/Many/F{i}.cs", $"namespace Acme;\nclass C{i}\n{{\n" + string.Concat(Enumerable.Range(0, 60).Select(j => $"    int Own{i}X{j} = {i} + {j};\n")) + line + "}\n"));
        }

        repo.Publish("a.txt", repo.Write("src/Api/a.txt", string.Concat(Enumerable.Repeat(line, 100_000))));
        repo.Publish("b.json", repo.Write("src/Api/b.json", "{\"x\":\"" + string.Concat(Enumerable.Repeat("0123456789 abcdef, ", 600_000)) + "\"}"));
        repo.Publish("a.js.map", repo.Write("src/Api/a.js.map", System.Text.Json.JsonSerializer.Serialize(new { sources = Enumerable.Range(0, 3000).Select(i => $"webpack:///src/client/file{i}.ts") })));
        for (var i = 0; i < 200; i++)
        {
            repo.Publish($"z{i}.gz", repo.Write($"src/Api/z{i}.gz", Gzip(Encoding.UTF8.GetBytes($"small {i}"))));
        }

        var clock = System.Diagnostics.Stopwatch.StartNew();
        var judged = await repo.JudgeAsync();
        Assert.Empty(judged.Diagnostics);

        // Seconds, even on a machine that does much else; what is quadratic takes minutes.
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"{clock.Elapsed}");
    }

    [Fact]
    public void Assemblies_of_this_very_test_are_read_whole_and_damaged_ones_are_no_assemblies()
    {
        var path = typeof(WallTests).Assembly.Location;
        var facts = AssemblyFacts.Read(path, [])!;
        Assert.Equal(typeof(WallTests).Module.ModuleVersionId, facts.Mvid);
        Assert.True(facts.Pdb!.Documents.Count >= facts.Pdb.SourceFileCount);
        Assert.Contains(typeof(WallTests).FullName, facts.Types.Values);
        var document = facts.Pdb.Documents.Single(d => d.Name.EndsWith("/Editions/WallTests.cs", StringComparison.Ordinal));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(RepositoryFiles.At("tests", "Registry.Sdk.Core.Tests", "Editions", "WallTests.cs")))), document.Hash);

        // Every byte of the head, and many others, turned: a value, and no crash.
        var folder = Directory.CreateTempSubdirectory("rsdk-wall-");
        var bytes = new FakeAssembly { Name = "X", Types = ["A.B"], IsPdbEmbedded = true, Documents = [new("/a.cs", [1, 2, 3], true, ["A.B"])], Resources = [("r", new byte[9])], Friends = ["F"] }.Write(Path.Combine(folder.FullName, "x.dll"));
        for (var i = 0; i < bytes.Length; i++)
        {
            var damaged = bytes.ToArray();
            damaged[i] ^= 0xFF;
            File.WriteAllBytes(Path.Combine(folder.FullName, "y.dll"), damaged);
            AssemblyFacts.Read(Path.Combine(folder.FullName, "y.dll"), []);
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public void Licence_texts_are_recognised_word_for_word_only()
    {
        var mit = File.ReadAllText(RepositoryFiles.At("LICENSE"));
        Assert.Equal("MIT", PackageLicenses.Recognize(mit));
        Assert.Equal("MIT", PackageLicenses.Recognize(mit.Replace("\n", "\r\n").ToUpperInvariant()));
        Assert.Null(PackageLicenses.Recognize(mit + "\nThe Software may not be sold (Commons Clause)."));
        Assert.Null(PackageLicenses.Recognize(mit.Replace("sublicense, ", "")));
        Assert.Null(PackageLicenses.Recognize(""));
    }

    private static byte[] Gzip(byte[] content)
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return buffer.ToArray();
    }
}
