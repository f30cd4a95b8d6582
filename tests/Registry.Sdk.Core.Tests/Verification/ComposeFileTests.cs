using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Verification;
using Xunit;

namespace Registry.Sdk.Core.Tests.Verification;

/// <summary>What compose files ask to be pulled, and how those that can't be read are told.</summary>
public sealed class ComposeFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;
    private readonly Dictionary<string, string> _environment = new(StringComparer.Ordinal);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Every_image_of_every_profile_counts_and_what_is_only_built_does_not()
    {
        var compose = Read("""
            services:
              api:
                image: ghcr.io/acme/api:v1
                profiles: [never]
              worker:
                build: ./worker
                image: ghcr.io/acme/worker
              local:
                build: ./local
              cache:
                image: redis:7
            """);

        Assert.Equal(
            ["api ghcr.io/acme/api:v1 3", "worker ghcr.io/acme/worker:latest 7", "cache docker.io/library/redis:7 11"],
            compose.Images.Select(i => $"{i.Service} {i.Name} {i.Line}"));
        Assert.Equal(2, compose.Notes.Count);
        Assert.Contains("the service local is built where it is started", compose.Notes[0]);
        Assert.Contains("line 11: the image 'redis:7' names no registry, which means docker.io/library/redis:7", compose.Notes[1]);
    }

    [Fact]
    public void What_is_always_built_where_it_is_started_is_not_pulled()
    {
        var compose = Read("services:\n  a:\n    build: .\n    image: acme/a\n    pull_policy: build\n  b:\n    build: .\n    image: acme/b\n  c:\n    image: acme/c\n    pull_policy: build\n");

        // Without a build: compose can only pull it, whatever its policy.
        Assert.Equal([("b", true), ("c", false)], compose.Images.Select(i => (i.Service, i.IsBuilt)));
        Assert.Contains("the service a is always built where it is started (pull_policy: build)", compose.Notes[0]);
    }

    [Theory]
    [InlineData("a/b:${TAG}", "a/b:v2")]
    [InlineData("a/b:$TAG", "a/b:v2")]
    [InlineData("a/b:${TAG:-v9}", "a/b:v2")]
    [InlineData("a/b:${NO:-v9}", "a/b:v9")]
    [InlineData("a/b:${EMPTY:-v9}", "a/b:v9")]
    [InlineData("a/b:x${EMPTY-v9}", "a/b:x")]
    [InlineData("a/b:${NO-v9}", "a/b:v9")]
    [InlineData("a/b:${NO:-${ALSO_NO:-v8}}", "a/b:v8")]
    [InlineData("a/b:${NO:-${TAG}}", "a/b:v2")]
    [InlineData("a/b:${TAG:-${NO}}", "a/b:v2")]
    [InlineData("a/b:${TAG:?needed}", "a/b:v2")]
    [InlineData("a/b:v1${TAG:+-slim}", "a/b:v1-slim")]
    [InlineData("a/b:v1${NO:+-slim}", "a/b:v1")]
    [InlineData("${NO:-ghcr.io}/a/b:${TAG}", "ghcr.io/a/b:v2")]
    [InlineData("a/b:${FROM_FILE}", "a/b:filed")]
    [InlineData("a/b:${BOTH}", "a/b:environment")]
    [InlineData("a/b:${QUOTED}", "a/b:one")]
    [InlineData("a/b:${LITERAL}", "a/b:two")]
    [InlineData("a/b:${NESTED}", "a/b:filed-v2")]
    public void Variables_come_from_the_environment_then_from_the_env_file(string written, string meant)
    {
        _environment["TAG"] = "v2";
        _environment["EMPTY"] = "";
        _environment["BOTH"] = "environment";
        Write(".env", "# a comment\nFROM_FILE=filed # why\nBOTH=file\nexport QUOTED=\"one\"\nLITERAL='two'\n\nNESTED=${FROM_FILE}-$TAG\nPASSWORD=p$%^&*{\nEMPTY_IN_FILE=\n");
        Assert.Equal(meant, Image(Assert.Single(Read($"services:\n  s:\n    image: \"{written}\"\n").Images)));
    }

    [Theory]
    [InlineData("a/b:${NO}", "the variable NO is not set, and has no default")]
    [InlineData("a/b:$NO", "the variable NO is not set, and has no default")]
    [InlineData("a/b:${NO:?set it to a release}", "the variable NO is not set, and the file wants it (set it to a release)")]
    [InlineData("a/b:${EMPTY:?}", "the variable EMPTY is empty, and the file wants it")]
    [InlineData("a/b:${NO:-${ALSO_NO}}", "the variable ALSO_NO is not set")]
    [InlineData("a/b:${TAG", "what follows the variable TAG is none of")]
    [InlineData("a/b:${TAG:-v1", "the brace of the variable TAG is not closed")]
    [InlineData("a/b:${TAG!}", "what follows the variable TAG is none of")]
    [InlineData("a/b:${}", "a '$' is followed by no variable")]
    [InlineData("a/b$", "a '$' is followed by no variable")]
    public void A_variable_that_can_not_be_resolved_is_told_with_file_and_line(string written, string says)
    {
        _environment["TAG"] = "v2-must-not-be-said";
        _environment["EMPTY"] = "";
        var problem = Fails("RSDK9028", $"services:\n  s:\n    image: {written}\n");
        Assert.Contains($"docker-compose.yml, line 3: image: of s is '{written}', and {says}", problem);
        Assert.DoesNotContain("must-not-be-said", problem);
    }

    [Theory]
    [InlineData("ghcr.io/Acme/api", "repository names are lower case")]
    [InlineData("'ghcr.io/acme/api:'", "'' is no tag")]
    [InlineData("ghcr.io/acme/api:a b", "'a b' is no tag")]
    [InlineData("ghcr.io/acme/api@sha256:abc", "is no digest")]
    [InlineData("https://ghcr.io/acme/api", "'https:' is no host name")]
    [InlineData("ghcr.io:port/acme/api", "no host name")]
    [InlineData("'-'", "no repository name")]
    [InlineData("\"a b\"", "no repository name")]
    public void What_can_not_be_pulled_from_anywhere_is_told_with_file_and_line(string image, string says)
        => Assert.Contains(says, Fails("RSDK9029", $"services:\n  s:\n    image: {image}\n"));

    [Theory]
    [InlineData("redis", "docker.io/library/redis:latest", "latest")]
    [InlineData("redis:7-alpine", "docker.io/library/redis:7-alpine", "7-alpine")]
    [InlineData("acme/api", "docker.io/acme/api:latest", "latest")]
    [InlineData("index.docker.io/acme/api:v1", "docker.io/acme/api:v1", "v1")]
    [InlineData("localhost/api", "localhost/api:latest", "latest")]
    [InlineData("localhost:5000/api:v1", "localhost:5000/api:v1", "v1")]
    [InlineData("ghcr.io/acme/a/b:v1", "ghcr.io/acme/a/b:v1", "v1")]
    [InlineData("ghcr.io/acme/a:v1@sha256:0000000000000000000000000000000000000000000000000000000000000000", "ghcr.io/acme/a:v1@sha256:0000000000000000000000000000000000000000000000000000000000000000", "sha256:0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("ghcr.io/acme/a@sha256:0000000000000000000000000000000000000000000000000000000000000000", "ghcr.io/acme/a@sha256:0000000000000000000000000000000000000000000000000000000000000000", "sha256:0000000000000000000000000000000000000000000000000000000000000000")]
    public void What_a_name_means(string written, string meant, string reference)
    {
        Assert.True(ImageName.TryParse(written, out var name, out _));
        Assert.Equal((meant, reference), (name.ToString(), name.Reference));
    }

    [Fact]
    public void Anchors_and_merge_keys_are_followed()
    {
        var compose = Read("""
            x-base: &base
              image: ghcr.io/acme/base:v1
              platform: linux/arm64
            x-more: &more
              image: ghcr.io/acme/more:v1
            services:
              plain: *base
              merged:
                <<: *base
              first:
                <<: [*more, *base]
              own:
                <<: *base
                image: ghcr.io/acme/own:v1
            """);
        Assert.Equal(
            ["plain ghcr.io/acme/base:v1 linux/arm64", "merged ghcr.io/acme/base:v1 linux/arm64", "first ghcr.io/acme/more:v1 linux/arm64", "own ghcr.io/acme/own:v1 linux/arm64"],
            compose.Images.Select(i => $"{i.Service} {i.Name} {i.Platform}"));
    }

    [Fact]
    public void Extends_takes_what_the_service_does_not_say()
    {
        Write("base/common.yml", "services:\n  web:\n    image: ghcr.io/acme/web:${TAG:-v1}\n  unused:\n    image: ghcr.io/acme/unused:v1\n");
        var compose = Read("""
            services:
              a:
                extends: { file: base/common.yml, service: web }
              b:
                extends: a
              c:
                extends: { service: a }
                image: ghcr.io/acme/c:v1
            """);
        Assert.Equal(["a ghcr.io/acme/web:v1", "b ghcr.io/acme/web:v1", "c ghcr.io/acme/c:v1"], compose.Images.Select(i => $"{i.Service} {i.Name}"));
        Assert.EndsWith("common.yml", compose.Images[0].File);
    }

    [Fact]
    public void Included_files_count_with_their_own_env_files()
    {
        Write("a/compose.yml", "services:\n  a:\n    image: ghcr.io/acme/a:${TAG}\n");
        Write("a/.env", "TAG=from-a\n");
        Write("b/one.yml", "services:\n  b:\n    image: ghcr.io/acme/b:one\n  only:\n    image: ghcr.io/acme/only:${TAG}\n");
        Write("b/two.yml", "services:\n  b:\n    image: ghcr.io/acme/b:two\n");
        Write("b/my.env", "TAG=from-b\n");
        var compose = Read("""
            include:
              - a/compose.yml
              - path: [b/one.yml, b/two.yml]
                env_file: b/my.env
            services:
              own:
                image: ghcr.io/acme/own:v1
            """);
        Assert.Equal(["a:from-a", "b:two", "only:from-b", "own:v1"], compose.Images.Select(i => i.Name.ToString()["ghcr.io/acme/".Length..]));
    }

    [Theory]
    [InlineData("- a\n- b\n", "it is no mapping with services:", 1)]
    [InlineData("just text\n", "it is no mapping with services:", 1)]
    [InlineData("version: '3'\n", "it has neither services: nor include:", 1)]
    [InlineData("services: [a]\n", "services: is no mapping", 1)]
    [InlineData("services:\n  a: text\n", "the service a is no mapping", 2)]
    [InlineData("services:\n  a:\n    image: [x]\n", "image: of a is no text", 3)]
    [InlineData("services:\n  a:\n    image: x\n  a:\n    image: y\n", "the file is not YAML: the line has a key that is there twice", 4)]
    [InlineData("services:\n  a:\n\timage: x\n    platform: linux/amd64\n", "the file is not YAML: the line is indented by a tab", 3)]
    [InlineData("services:\n  a:\n    image: \"x\n", "the file is not YAML", 3)]
    [InlineData("services:\n  a:\n  image: {\n", "the file is not YAML", 4)]
    [InlineData("services:\n  a:\n    extends: b\n", "the service a extends b, which the file does not have", 3)]
    [InlineData("services:\n  a:\n    extends: b\n  b:\n    extends: a\n", "extends itself in a circle", 3)]
    [InlineData("services:\n  a:\n    image: x\n    platform: arm64\n", "the platform 'arm64' of the service a is not os/architecture", 4)]
    [InlineData("include: https://example.com/compose.yml\n", "is not on this machine, and is not fetched", 1)]
    [InlineData("include: [docker-compose.yml]\nservices: {}\n", "include each other more than 16 deep", 1)]
    public void A_file_that_is_no_compose_file_is_told_with_its_line(string content, string says, int line)
    {
        var problem = Fails("RSDK9027", content);
        Assert.Contains(says, problem);
        Assert.Contains(ComposeFile.Read(Write("docker-compose.yml", content), _environment).Diagnostics, d => d.Line == line);
        Assert.Contains($"docker-compose.yml, line {line}: ", problem);
    }

    [Theory]
    [InlineData("")]
    [InlineData("services: {}\n")]
    [InlineData("services:\n  a:\n    build: .\n")]
    public void A_file_that_names_no_image_is_no_success(string content) => Fails("RSDK9027", content);

    [Fact]
    public void A_file_that_is_not_there_is_told_by_its_own_code()
    {
        var missing = ComposeFile.Read(Path.Combine(_folder, "nowhere.yml"), _environment);
        Assert.Equal("RSDK9026", Assert.Single(missing.Diagnostics).Code);
        Assert.Contains("nowhere.yml can't be read: it is not there. Correct ContainerComposeFile", missing.Diagnostics[0].Message);
        Assert.Contains("line 1, include:", Fails("RSDK9026", "include: nowhere.yml\nservices:\n  a:\n    image: x\n"));
        Fails("RSDK9026", "services:\n  a:\n    extends: { file: nowhere.yml, service: a }\n");
    }

    [Fact]
    public void A_file_that_is_made_to_be_endless_ends()
    {
        Assert.Contains("nested too deep", Fails("RSDK9027", "services:\n  a: " + new string('[', 500) + new string(']', 500)));
        Fails("RSDK9027", "services:\n  a: " + new string('[', 100_000));
        Assert.Contains("nested too deep", Fails("RSDK9027", "services:\n  a:\n    x:\n      " + string.Concat(Enumerable.Repeat("- ", 100_000))));

        // Each level twice the one below: 2^24 merges.
        var bomb = "x0: &x0\n  none: 1\n" + string.Concat(Enumerable.Range(1, 24).Select(i => $"x{i}: &x{i}\n  <<: [*x{i - 1}, *x{i - 1}]\n")) + "services:\n  a:\n    <<: *x24\n";
        Assert.Contains("more than 10000 times", Fails("RSDK9027", bomb));
        Assert.Contains("is larger than", Fails("RSDK9027", "#" + new string('x', 5 << 20)));
    }

    [Fact]
    public void Too_many_services_are_told_once()
    {
        var problem = Fails("RSDK9027", "services:\n" + string.Concat(Enumerable.Range(0, 40_000).Select(i => $"  a{i}: {{image: x}}\n")));
        Assert.Contains("more than 10000 members", problem);
        Assert.DoesNotContain('\n', problem);
    }

    [Fact]
    public void Values_that_double_each_other_do_not_fill_the_memory()
    {
        Write(".env", "A0=xxxxxxxxxx\n" + string.Concat(Enumerable.Range(1, 60).Select(i => $"A{i}=$A{i - 1}$A{i - 1}\n")));
        Assert.InRange(Fails("RSDK9028", "services:\n  a:\n    image: x:${A12}${A12}\n").Length, 1, 2000);
        Assert.InRange(Fails("RSDK9029", "services:\n  a:\n    image: x:${A12}\n").Length, 1, 2000);
        Assert.InRange(Fails("RSDK9028", $"services:\n  a:\n    image: {string.Concat(Enumerable.Repeat("${A:-", 5000))}\n").Length, 1, 2000);
    }

    [Theory]
    [InlineData("include: [\"a\\0b\"]\nservices:\n  a: {image: x}\n")]
    [InlineData("services:\n  a: {extends: {file: \"a\\0b\", service: x}}\n")]
    [InlineData("services:\n  a: {image: \"a\\0b\"}\n")]
    public void A_NUL_is_told_and_no_crash(string content) => Assert.Contains("has a NUL in it", Fails("RSDK9027", content));

    [Fact]
    public void A_device_is_not_read_to_its_end()
    {
        if (!OperatingSystem.IsWindows())
        {
            Assert.Contains("/dev/zero is no regular file", Fails("RSDK9027", "include: [/dev/zero]\nservices:\n  a: {image: x}\n"));
        }
    }

    [Fact]
    public void What_is_wrong_with_the_env_file_is_told_without_its_values()
    {
        Write(".env", "GOOD=1\nSECRET='hunter2\n");
        var problem = Fails("RSDK9027", "services:\n  a:\n    image: x\n");
        Assert.Contains(".env: the quote that line 2 opens is not closed", problem);
        Assert.DoesNotContain("hunter2", problem);
        Write(".env", "hunter2 is my password\n");
        Assert.DoesNotContain("hunter2", Fails("RSDK9027", "services:\n  a:\n    image: x\n"));
    }

    [Fact]
    public void Names_from_the_file_make_no_line_and_no_command_of_a_CI_service()
    {
        var problem = Fails("RSDK9029", "services:\n  \"a\\n::error::b\":\n    image: \"X Y\\n##vso[task]\"\n");
        Assert.DoesNotContain('\n', problem);
        Assert.DoesNotContain("##vso", problem);
    }

    private static string Image(ComposeImage image) => image.Name.ToString().Replace("docker.io/", "", StringComparison.Ordinal);

    private ComposeProject Read(string content)
    {
        var outcome = ComposeFile.Read(Write("docker-compose.yml", content), _environment);
        Assert.True(outcome.Succeeded, string.Join('\n', outcome.Diagnostics));
        return outcome.Value;
    }

    private string Fails(string code, string content)
    {
        var outcome = ComposeFile.Read(Write("docker-compose.yml", content), _environment);
        Assert.False(outcome.Succeeded);
        var first = outcome.Diagnostics[0];
        Assert.Equal(code, first.Code);
        Assert.NotNull(first.File);
        return string.Join('\n', outcome.Diagnostics.Select(d => d.Message)).TrimEnd();
    }

    private string Write(string path, string content)
    {
        var full = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
        return full;
    }
}
