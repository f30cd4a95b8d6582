using System.Text;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

/// <summary>An OCI layout directory as a repository. What skopeo, umoci and Docker make of it is tested with them (Registry.Tests/Layouts).</summary>
public sealed class LayoutRepositoryTests : IDisposable
{
    private const string RefName = "org.opencontainers.image.ref.name";
    private const string ImageName = "io.containerd.image.name";

    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;

    private string Folder => Path.Combine(_folder, "orders");

    private string IndexFile => Path.Combine(Folder, "index.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_is_an_empty_repository_and_reading_makes_nothing(bool isThere)
    {
        if (isThere)
        {
            Directory.CreateDirectory(Folder);
        }

        var repository = Open();
        await repository.PingAsync(default);
        Assert.Null(await repository.GetManifestAsync("latest", default));
        Assert.Null(await repository.GetManifestAsync("", default));
        Assert.Null(await repository.GetManifestAsync(Blob("x").Digest.ToString(), default));
        Assert.Null(await repository.FindManifestAsync("latest", default));
        Assert.Null(await repository.FindManifestAsync(Blob("x").Digest.ToString(), default));
        Assert.False(await repository.HasBlobAsync(Blob("x"), default));
        Assert.Null(await repository.GetSmallBlobAsync(Blob("x"), default));
        Assert.False(await repository.RepositoryExistsAsync(default));
        Assert.Equal(isThere, Directory.Exists(Folder));
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(_folder, "*", SearchOption.AllDirectories), e => e != Folder);
    }

    [Fact]
    public async Task An_image_reads_back_by_tag_digest_and_blob()
    {
        var repository = Open();
        var image = await PutImageAsync(repository, "content", "v1.2.3", "latest");
        foreach (var reference in new[] { "v1.2.3", "latest", image.Descriptor.Digest.ToString(), "" })
        {
            var read = await Open().GetManifestAsync(reference, default);
            Assert.Equal(image.Descriptor, read!.Descriptor);
            Assert.Equal(image.Content, read.Content);
        }

        Assert.Equal(image.Descriptor.Digest, await repository.FindManifestAsync("latest", default));
        Assert.Equal(image.Descriptor.Digest, await repository.FindManifestAsync(image.Descriptor.Digest.ToString(), default));
        Assert.True(await repository.HasBlobAsync(Blob("content"), default));
        Assert.Equal("content", Encoding.UTF8.GetString((await repository.GetSmallBlobAsync(Blob("content"), default))!));
        Assert.True(await repository.RepositoryExistsAsync(default));

        Assert.Equal("""{"imageLayoutVersion":"1.0.0"}""", await File.ReadAllTextAsync(Path.Combine(Folder, "oci-layout")));
        Assert.Equal(["v1.2.3 docker.io/library/orders:v1.2.3", "latest docker.io/library/orders:latest"], Entries());
        Assert.Equal([".registry-sdk.lock", "blobs", "index.json", "manifest.json", "oci-layout"], Directory.EnumerateFileSystemEntries(Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(3, Directory.EnumerateFileSystemEntries(Path.Combine(Folder, "blobs", "sha256")).Count());
    }

    [Fact]
    public async Task An_image_without_tags_is_named_by_index_json_once()
    {
        var repository = Open();
        var image = await PutImageAsync(repository, "content");
        await repository.PutManifestAsync(image.Descriptor.Digest.ToString(), image, default);
        Assert.Equal(["-"], Entries());
        Assert.Equal(image.Descriptor, (await repository.GetManifestAsync("", default))!.Descriptor);

        await repository.PutManifestAsync("v1.0.0", image, default);
        Assert.Equal(["v1.0.0 docker.io/library/orders:v1.0.0"], Entries());
        await repository.PutManifestAsync(image.Descriptor.Digest.ToString(), image, default);
        Assert.Equal(["v1.0.0 docker.io/library/orders:v1.0.0"], Entries());
    }

    [Fact]
    public async Task What_an_index_names_needs_no_entry_and_is_found_by_digest()
    {
        var repository = Open();
        var children = new[] { await PutImageAsync(repository, "amd64"), await PutImageAsync(repository, "arm64") };
        Assert.Equal(["-", "-"], Entries());
        var index = IndexOf(children);
        await repository.PutManifestAsync(index.Descriptor.Digest.ToString(), index, default);
        Assert.Equal(["-"], Entries());
        await repository.PutManifestAsync("v2.0.0", index, default);
        Assert.Equal(["v2.0.0 docker.io/library/orders:v2.0.0"], Entries());

        var child = children[1].Descriptor;
        Assert.Equal(child.Digest, await repository.FindManifestAsync(child.Digest.ToString(), default));
        Assert.Equal(child, (await repository.GetManifestAsync(child.Digest.ToString(), default))!.Descriptor);

        // Lost and put again, as the next publish does.
        File.Delete(BlobFile(child.Digest));
        Assert.Null(await repository.FindManifestAsync(child.Digest.ToString(), default));
        await repository.PutManifestAsync(child.Digest.ToString(), children[1], default);
        Assert.Equal(["v2.0.0 docker.io/library/orders:v2.0.0"], Entries());
        Assert.Equal(child.Digest, await repository.FindManifestAsync(child.Digest.ToString(), default));

        // Docker's list knows no images of several platforms.
        Assert.False(File.Exists(Path.Combine(Folder, "manifest.json")));
    }

    [Fact]
    public async Task A_manifest_that_index_json_does_not_lead_to_is_written_again()
    {
        var repository = Open();
        var image = await PutImageAsync(repository, "content");
        await File.WriteAllTextAsync(IndexFile, """{"schemaVersion":2,"manifests":null}""");
        Assert.NotNull(await repository.GetManifestAsync(image.Descriptor.Digest.ToString(), default));
        Assert.Null(await repository.FindManifestAsync(image.Descriptor.Digest.ToString(), default));
    }

    [Fact]
    public async Task A_moved_tag_leaves_its_image_reachable()
    {
        var repository = Open();
        var one = await PutImageAsync(repository, "one", "v1.0.0", "latest", "main");
        var two = await PutImageAsync(repository, "two", "latest");
        Assert.Equal(["v1.0.0 docker.io/library/orders:v1.0.0", "main docker.io/library/orders:main", "latest docker.io/library/orders:latest"], Entries());

        // Its last tags: the image stays.
        await repository.PutManifestAsync("main", two, default);
        await repository.PutManifestAsync("v1.0.0", two, default);
        Assert.Equal(["-", "latest docker.io/library/orders:latest", "main docker.io/library/orders:main", "v1.0.0 docker.io/library/orders:v1.0.0"], Entries());
        Assert.Equal(one.Descriptor.Digest, await repository.FindManifestAsync(one.Descriptor.Digest.ToString(), default));
        Assert.Equal(two.Descriptor.Digest, await repository.FindManifestAsync("main", default));
    }

    [Fact]
    public async Task What_others_wrote_stays()
    {
        var repository = Open();
        var image = await PutImageAsync(repository, "content", "v1.0.0");
        var foreign = (JsonObject)JsonNode.Parse(await File.ReadAllBytesAsync(IndexFile))!;
        foreign["annotations"] = new JsonObject { ["who"] = "jürgen 语" };
        foreign["x"] = 1.50m;
        var mine = (JsonObject)foreign["manifests"]![0]!;
        mine["platform"] = new JsonObject { ["architecture"] = "amd64", ["os"] = "linux" };
        mine["annotations"]!["note"] = "kept";
        foreign["manifests"]!.AsArray().Add(new JsonObject { ["mediaType"] = "application/x", ["anything"] = true });
        foreign["manifests"]!.AsArray().Add(new JsonObject { ["mediaType"] = MediaTypes.OciManifest, ["digest"] = Blob("absent").Digest.ToString(), ["size"] = 6, ["annotations"] = new JsonObject { [RefName] = "absent" } });
        await File.WriteAllTextAsync(IndexFile, foreign.ToJsonString());

        await PutImageAsync(repository, "other", "v1.0.0");
        var after = (JsonObject)JsonNode.Parse(await File.ReadAllBytesAsync(IndexFile))!;
        Assert.Equal("""{"who":"jürgen 语"} 1.50""", $"{after["annotations"]!.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping })} {after["x"]!.ToJsonString()}");
        var manifests = after["manifests"]!.AsArray();
        Assert.Equal(4, manifests.Count);
        Assert.Equal("""{"note":"kept"}""", manifests[0]!["annotations"]!.ToJsonString());
        Assert.Equal("linux", manifests[0]!["platform"]!["os"]!.GetValue<string>());
        Assert.Equal("""{"mediaType":"application/x","anything":true}""", manifests[1]!.ToJsonString());
        Assert.Equal(Blob("absent").Digest, await repository.FindManifestAsync("absent", default));
        Assert.Null(await repository.GetManifestAsync("absent", default));

        // Tagged again, it keeps what it has.
        await repository.PutManifestAsync("old", image, default);
        manifests = JsonNode.Parse(await File.ReadAllBytesAsync(IndexFile))!["manifests"]!.AsArray();
        Assert.Equal(("kept", "old"), (manifests[0]!["annotations"]!["note"]!.GetValue<string>(), manifests[0]!["annotations"]![RefName]!.GetValue<string>()));
    }

    [Fact]
    public async Task Of_a_tag_that_is_there_twice_the_first_counts_until_it_is_written()
    {
        var repository = Open();
        var one = await PutImageAsync(repository, "one", "a");
        var two = await PutImageAsync(repository, "two", "b");
        await File.WriteAllTextAsync(IndexFile, (await File.ReadAllTextAsync(IndexFile)).Replace("\"b\"", "\"a\"", StringComparison.Ordinal));
        Assert.Equal(one.Descriptor.Digest, await repository.FindManifestAsync("a", default));
        await repository.PutManifestAsync("a", two, default);
        Assert.Equal(two.Descriptor.Digest, await repository.FindManifestAsync("a", default));
        Assert.Single(Entries(), e => e.StartsWith("a ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_a_tag_one_of_several_is_not_guessed()
    {
        var repository = Open();
        await PutImageAsync(repository, "one", "v1", "latest");
        Assert.NotNull(await repository.GetManifestAsync("", default));
        await PutImageAsync(repository, "two", "v2");
        await AssertInvalidAsync(r => r.GetManifestAsync("", default), "2 images", "oci:out/orders:v1", "oci:out/orders:v2");
    }

    public static TheoryData<string, string[]> Broken => new()
    {
        { "a file", ["is a file"] },
        { "foreign folder", ["no OCI layout", "not empty"] },
        { "no oci-layout", ["no OCI layout"] },
        { "version", ["imageLayoutVersion"] },
        { "oci-layout no json", ["oci-layout"] },
        { "no index", ["blobs but no index.json"] },
        { "index no json", ["index.json"] },
        { "index empty", ["index.json"] },
        { "index array", ["index.json"] },
        { "index member twice", ["index.json", "twice"] },
        { "index manifests", ["'manifests' is no array"] },
        { "index huge", ["index.json", "bytes"] },
        { "index directory", ["index.json is a directory"] },
        { "descriptor digest", ["descriptor of v1.0.0"] },
        { "descriptor size", ["bytes and not"] },
        { "wrong content", ["other content"] },
        { "no manifest", ["no image manifest"] },
        { "blob directory", ["is a directory"] },
        { "blob link", ["leads out of the directory"] },
        { "blob link to nothing", ["leads nowhere"] },
        { "blobs link", ["leads out of the directory"] },
        { "index link", ["leads out of the directory"] },
        { "blob pipe", ["has 0 bytes"] },
        { "index pipe", ["index.json"] },
        { "oci-layout pipe", ["oci-layout"] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task Whatever_is_wrong_is_said_and_nothing_hangs(string what, string[] words)
    {
        if (OperatingSystem.IsWindows() && (what.Contains("pipe", StringComparison.Ordinal) || what.Contains("link", StringComparison.Ordinal)))
        {
            return;
        }

        var image = await PutImageAsync(Open(), "content", "v1.0.0");
        var blob = BlobFile(image.Descriptor.Digest);
        var layout = Path.Combine(Folder, "oci-layout");
        var outside = Path.Combine(_folder, "outside");
        var reference = "v1.0.0";
        switch (what)
        {
            case "a file":
                Directory.Delete(Folder, recursive: true);
                await File.WriteAllTextAsync(Folder, "");
                break;
            case "foreign folder":
                Directory.Delete(Folder, recursive: true);
                Directory.CreateDirectory(Path.Combine(Folder, "src"));
                break;
            case "no oci-layout": File.Delete(layout); break;
            case "version": await File.WriteAllTextAsync(layout, """{"imageLayoutVersion":"2.0.0"}"""); break;
            case "oci-layout no json": await File.WriteAllTextAsync(layout, "1.0.0"); break;
            case "no index": File.Delete(IndexFile); break;
            case "index no json": await File.WriteAllTextAsync(IndexFile, "{"); break;
            case "index empty": await File.WriteAllTextAsync(IndexFile, ""); break;
            case "index array": await File.WriteAllTextAsync(IndexFile, "[]"); break;
            case "index member twice": await File.WriteAllTextAsync(IndexFile, """{"manifests":[],"manifests":[]}"""); break;
            case "index manifests": await File.WriteAllTextAsync(IndexFile, """{"manifests":{}}"""); break;
            case "index huge": await File.WriteAllBytesAsync(IndexFile, new byte[RegistryClient.MaxManifestBytes + 1]); break;
            case "index directory":
                File.Delete(IndexFile);
                Directory.CreateDirectory(IndexFile);
                break;
            case "descriptor digest": await ChangeIndexAsync("sha256:", "md5:"); break;
            case "descriptor size": await ChangeIndexAsync("\"size\":", "\"size\":1"); break;
            case "wrong content": await File.WriteAllBytesAsync(blob, [.. image.Content[..^1], (byte)' ']); break;
            case "no manifest": reference = Blob("content").Digest.ToString(); break;
            case "blob directory":
                File.Delete(blob);
                Directory.CreateDirectory(blob);
                break;
            case "blob link" or "blob link to nothing":
                if (what == "blob link")
                {
                    File.Copy(blob, outside);
                }

                File.Delete(blob);
                File.CreateSymbolicLink(blob, outside);
                break;
            case "blobs link":
                Directory.Move(Path.Combine(Folder, "blobs"), outside);
                Directory.CreateSymbolicLink(Path.Combine(Folder, "blobs"), outside);
                break;
            case "index link":
                File.Move(IndexFile, outside);
                File.CreateSymbolicLink(IndexFile, outside);
                break;
            case "blob pipe": Pipe(blob); break;
            case "index pipe": Pipe(IndexFile); break;
            case "oci-layout pipe": Pipe(layout); break;
        }

        await AssertInvalidAsync(r => r.GetManifestAsync(reference, default), words);

        Task ChangeIndexAsync(string from, string to) => File.WriteAllTextAsync(IndexFile, File.ReadAllText(IndexFile).Replace(from, to, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("foreign folder")]
    [InlineData("blobs link")]
    [InlineData("lock link")]
    public async Task What_is_no_layout_of_its_own_is_not_written_to(string what)
    {
        var outside = Path.Combine(_folder, "outside");
        if (what == "foreign folder")
        {
            Directory.CreateDirectory(Folder);
            await File.WriteAllTextAsync(Path.Combine(Folder, "notes.txt"), "mine");
        }
        else
        {
            await PutImageAsync(Open(), "content", "v1.0.0");
            Directory.CreateDirectory(outside);
            if (what == "blobs link")
            {
                Directory.Delete(Path.Combine(Folder, "blobs"), recursive: true);
                Directory.CreateSymbolicLink(Path.Combine(Folder, "blobs"), outside);
            }
            else
            {
                File.Delete(Path.Combine(Folder, ".registry-sdk.lock"));
                File.CreateSymbolicLink(Path.Combine(Folder, ".registry-sdk.lock"), Path.Combine(outside, "made"));
            }
        }

        var before = Directory.EnumerateFileSystemEntries(_folder, "*", SearchOption.AllDirectories).Where(e => what != "lock link" || !e.Contains("sha256", StringComparison.Ordinal)).ToList();
        await AssertInvalidAsync(r => PutImageAsync(r, "other", "v2.0.0"), "the directory can't be used");
        Assert.Equal(before, Directory.EnumerateFileSystemEntries(_folder, "*", SearchOption.AllDirectories).Where(e => what != "lock link" || !e.Contains("sha256", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("changed")]
    [InlineData("pipe")]
    public async Task A_broken_blob_counts_as_missing_and_is_replaced(string how)
    {
        var repository = Open();
        var image = await PutImageAsync(repository, "content", "v1.0.0");
        foreach (var (descriptor, content) in new[] { (Blob("content"), Bytes("content")), (image.Descriptor, image.Content) })
        {
            var file = BlobFile(descriptor.Digest);
            switch (how)
            {
                case "cut": await File.WriteAllBytesAsync(file, content[..^1]); break;
                case "changed": await File.WriteAllBytesAsync(file, new byte[content.Length]); break;
                default: Pipe(file); break;
            }

            Assert.False(await InTimeAsync(() => repository.HasBlobAsync(descriptor, default)));
            await Assert.ThrowsAsync<LayoutException>(() => InTimeAsync(() => repository.GetSmallBlobAsync(descriptor, default)));
            Assert.Null(descriptor == image.Descriptor ? await repository.FindManifestAsync(descriptor.Digest.ToString(), default) : null);
            await UploadAsync(repository, descriptor, content);
            Assert.True(await repository.HasBlobAsync(descriptor, default));
            Assert.Equal(content, await File.ReadAllBytesAsync(file));
        }
    }

    [Fact]
    public async Task A_blob_that_is_there_is_left_and_one_that_is_wrong_does_not_get_there()
    {
        var repository = Open();
        var blob = Blob("content");
        await UploadAsync(repository, blob, Bytes("content"));
        File.SetLastWriteTimeUtc(BlobFile(blob.Digest), DateTime.UnixEpoch);
        await repository.UploadAsync(await repository.StartUploadAsync(default), blob, () => throw new InvalidOperationException("opened"), null, default);
        Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(BlobFile(blob.Digest)));

        // The fault of what is sent, so no LayoutException.
        var e = await Assert.ThrowsAsync<IOException>(async () => await UploadAsync(repository, Blob("other"), Bytes("another")));
        Assert.Contains(Blob("other").Digest.ToString(), e.Message, StringComparison.Ordinal);
        e = await Assert.ThrowsAsync<IOException>(async () => await repository.UploadAsync(await repository.StartUploadAsync(default), Blob("other"), () => throw new IOException("source"), null, default));
        Assert.Equal("source", e.Message);
        Assert.False(File.Exists(BlobFile(Blob("other").Digest)));
        Assert.Empty(Leftovers());
    }

    [Fact]
    public async Task A_publish_that_is_given_up_leaves_an_empty_layout()
    {
        var repository = Open();
        var session = await repository.StartUploadAsync(default);
        Assert.Single(Leftovers());
        await repository.CancelUploadAsync(session, default);
        await repository.CancelUploadAsync(session, default);
        Assert.Empty(Leftovers());
        Assert.Empty(Entries());
        Assert.Null(await repository.GetManifestAsync("", default));
    }

    [Fact]
    public async Task Old_leftovers_go_and_young_ones_stay()
    {
        var repository = Open();
        await PutImageAsync(repository, "content", "v1.0.0");
        var files = new[] { Folder, Path.Combine(Folder, "blobs", "sha256") }.SelectMany(f => new[] { "old", "young" }.Select(n => Path.Combine(f, $".registry-sdk-{n}.partial"))).ToList();
        foreach (var file in files)
        {
            await File.WriteAllTextAsync(file, "x");
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddMinutes(file.Contains("old", StringComparison.Ordinal) ? -61 : -59));
        }

        await PutImageAsync(repository, "other", "v2.0.0");
        Assert.Equal([false, true, false, true], files.Select(File.Exists));
    }

    /// <summary>A process may be killed between any two steps of making a layout; what it leaves must do for the next.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_layout_half_made_is_finished(int steps)
    {
        Directory.CreateDirectory(Folder);
        await File.WriteAllTextAsync(Path.Combine(Folder, ".registry-sdk-0.partial"), "{");
        if (steps > 0)
        {
            await File.WriteAllTextAsync(Path.Combine(Folder, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}""");
        }

        if (steps > 1)
        {
            Directory.CreateDirectory(Path.Combine(Folder, "blobs", "sha256"));
        }

        if (steps > 2)
        {
            await File.WriteAllTextAsync(Path.Combine(Folder, "blobs", "sha256", ".registry-sdk-1.partial"), "");
        }

        var repository = Open();
        Assert.Null(await repository.GetManifestAsync("v1.0.0", default));
        await PutImageAsync(repository, "content", "v1.0.0");
        Assert.NotNull(await repository.GetManifestAsync("v1.0.0", default));
    }

    [Fact]
    public async Task Whoever_holds_the_lock_is_waited_for_and_not_for_ever()
    {
        var repository = Open(TimeSpan.FromMilliseconds(200));
        var one = await PutImageAsync(repository, "one", "v1.0.0");
        var bytes = await File.ReadAllBytesAsync(IndexFile);
        var other = new FileStream(Path.Combine(Folder, ".registry-sdk.lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        await using (other)
        {
            var e = await Assert.ThrowsAsync<LayoutException>(() => repository.PutManifestAsync("v2.0.0", one, default));
            Assert.False(e.IsInvalid);
            Assert.Contains(".registry-sdk.lock", e.Message, StringComparison.Ordinal);
            using var cancel = new CancellationTokenSource(100);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Open().PutManifestAsync("v2.0.0", one, cancel.Token));
            Assert.Equal(bytes, await File.ReadAllBytesAsync(IndexFile));

            // Reading waits for nobody.
            Assert.NotNull(await repository.GetManifestAsync("v1.0.0", default));
        }

        await repository.PutManifestAsync("v2.0.0", one, default);
        Assert.Equal(2, Entries().Count);
    }

    [Fact]
    public async Task Publishes_at_once_all_have_their_tags()
    {
        // Nothing is there at the beginning: they make the layout at once too.
        var images = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() => PutImageAsync(Open(), $"content {i % 4}", $"v{i}.0.0", "latest"))));
        var repository = Open();
        for (var i = 0; i < images.Length; i++)
        {
            Assert.Equal(images[i].Content, (await repository.GetManifestAsync($"v{i}.0.0", default))!.Content);
        }

        Assert.Contains(images, i => i.Descriptor == repository.GetManifestAsync("latest", default).Result!.Descriptor);
        Assert.Equal(17, Entries().Count);
        Assert.Empty(Leftovers());
    }

    [Fact]
    public async Task A_disk_that_can_not_be_written_is_named_without_its_path()
    {
        var repository = Open();
        await PutImageAsync(repository, "content", "v1.0.0");
        var bytes = await File.ReadAllBytesAsync(IndexFile);

        // Root may write anywhere; what nobody can is a file where a folder should be.
        var long_ = new LayoutRepository(LayoutDirectory.Parse("oci:out/" + new string('x', 300), _folder, out _)!);
        var below = new LayoutRepository(LayoutDirectory.Parse("oci:orders/index.json/x", _folder, out _)!);
        foreach (var broken in new[] { long_, below })
        {
            var e = await Assert.ThrowsAsync<LayoutException>(() => broken.StartUploadAsync(default));
            Assert.False(e.IsInvalid);
            Assert.DoesNotContain(_folder, e.Message, StringComparison.Ordinal);
        }

        Assert.Equal(bytes, await File.ReadAllBytesAsync(IndexFile));
    }

    [Theory]
    [InlineData("oci:out/a b/../ü 语 #%20?/orders")]
    [InlineData("oci:../{0}/dots")]
    public async Task Any_path_will_do(string written)
    {
        var project = Directory.CreateDirectory(Path.Combine(_folder, "project")).FullName;
        var repository = new LayoutRepository(LayoutDirectory.Parse(written.Replace("{0}", new string('n', 200), StringComparison.Ordinal), project, out _)!);
        var image = await PutImageAsync(repository, "content", "v1.0.0");
        Assert.Equal(image.Content, (await repository.GetManifestAsync("v1.0.0", default))!.Content);
    }

    [Fact]
    public async Task Docker_gets_a_list_of_what_it_can_load()
    {
        var repository = Open();
        var one = await PutImageAsync(repository, "one", "v1.0.0", "latest");
        var two = await PutImageAsync(repository, "two", "latest");
        await PutLayerAsync(repository, "zstd", "application/vnd.oci.image.layer.v1.tar+zstd", "zstd");
        var index = IndexOf([one, two]);
        await repository.PutManifestAsync("all", index, default);
        Assert.Equal(
            [$"{Config(one)} [orders:v1.0.0] {Blob("one").Digest.Hex}", $"{Config(two)} [orders:latest] {Blob("two").Digest.Hex}"], DockerList());

        // A foreign list, as `docker save` makes it: it stays but for the names that are ours now.
        await File.WriteAllTextAsync(Path.Combine(Folder, "manifest.json"), """[{"Config":"c","RepoTags":["acme/x:1","orders:latest"],"Layers":["l/layer.tar"]},{"Config":"d","RepoTags":["orders:all"],"Layers":[]},{"Config":"e","RepoTags":null,"Layers":[]}]""");
        await repository.PutManifestAsync("v1.0", one, default);
        Assert.Equal(
            [$"{Config(one)} [orders:v1.0.0, orders:v1.0] {Blob("one").Digest.Hex}", $"{Config(two)} [orders:latest] {Blob("two").Digest.Hex}", "c [acme/x:1] layer.tar", "e [] "], DockerList());

        // Something else of that name.
        await File.WriteAllTextAsync(Path.Combine(Folder, "manifest.json"), """{"name":"app"}""");
        await repository.PutManifestAsync("v1", one, default);
        Assert.Equal("""{"name":"app"}""", await File.ReadAllTextAsync(Path.Combine(Folder, "manifest.json")));
    }

    /// <summary>A list that names one missing file loads nothing at all, nor one with a name that Docker refuses.</summary>
    [Fact]
    public async Task Docker_is_not_told_what_would_break_the_rest()
    {
        var repository = Open();
        var image = await PutImageAsync(repository, "one", "v1.0.0");
        await PutImageAsync(repository, "two", "v2.0.0");
        File.Delete(BlobFile(Blob("two").Digest));
        var index = (JsonObject)JsonNode.Parse(await File.ReadAllBytesAsync(IndexFile))!;
        foreach (var (tag, name) in new[] { ("bad tag!", null), ("1", "Not/Legal:1"), ("2", "ghcr.io/acme/orders:2"), ("3", "docker.io/acme/orders:3"), ("4", "localhost:5000/x:4") })
        {
            var entry = image.Descriptor.ToJson();
            entry["annotations"] = new JsonObject { [RefName] = tag };
            if (name is not null)
            {
                entry["annotations"]![ImageName] = name;
            }

            index["manifests"]!.AsArray().Add(entry);
        }

        await File.WriteAllTextAsync(IndexFile, index.ToJsonString());
        await repository.PutManifestAsync("v1.0", image, default);
        Assert.Equal([$"{Config(image)} [orders:v1.0.0, orders:1, ghcr.io/acme/orders:2, acme/orders:3, localhost:5000/x:4, orders:v1.0] {Blob("one").Digest.Hex}"], DockerList());
    }

    [Theory]
    [InlineData("orders", "orders")]
    [InlineData("/x/Orders Api_v2.1", "orders-api_v2.1")]
    [InlineData("__a--b..c-", "a-b.c")]
    [InlineData("语", "image")]
    [InlineData("ünder", "nder")]
    public void A_directory_gives_its_images_a_legal_name(string directory, string name)
    {
        Assert.Equal(name, LayoutIndex.RepositoryName(directory));
        Assert.True(RepositoryReference.IsLegalName(name));
    }

    private LayoutRepository Open(TimeSpan? patience = null)
    {
        var layout = new LayoutDirectory(Folder, "out/orders");
        return patience is { } time ? new(layout) { LockPatience = time } : new(layout);
    }

    private async Task AssertInvalidAsync(Func<LayoutRepository, Task> action, params string[] words)
    {
        var e = await Assert.ThrowsAsync<LayoutException>(() => InTimeAsync(async () =>
        {
            await action(Open());
            return true;
        }));
        Assert.True(e.IsInvalid, e.Message);
        Assert.All(words, w => Assert.Contains(w, e.Message, StringComparison.Ordinal));
        Assert.DoesNotContain(_folder, e.Message, StringComparison.Ordinal);
    }

    /// <summary>Opening a pipe blocks the thread that does it; here it is another one than the test's.</summary>
    private static async Task<T> InTimeAsync<T>(Func<Task<T>> action) => await Task.Run(action).WaitAsync(TimeSpan.FromSeconds(10));

    private string BlobFile(Digest digest) => Path.Combine(Folder, "blobs", "sha256", digest.Hex);

    private IEnumerable<string> Leftovers() => Directory.EnumerateFiles(Folder, "*.partial", SearchOption.AllDirectories);

    /// <summary>Tag and name of every entry of index.json.</summary>
    private List<string> Entries()
        => [.. JsonNode.Parse(File.ReadAllBytes(IndexFile))!["manifests"]!.AsArray().Select(m => m!["annotations"] is { } a ? $"{a[RefName]} {a[ImageName]}" : "-")];

    private List<string> DockerList()
        => [.. JsonNode.Parse(File.ReadAllBytes(Path.Combine(Folder, "manifest.json")))!.AsArray().Select(e =>
            $"{Path.GetFileName(e!["Config"]!.GetValue<string>())} [{string.Join(", ", e["RepoTags"]?.AsArray().Select(t => t!.GetValue<string>()) ?? [])}] {string.Join(' ', e["Layers"]!.AsArray().Select(l => Path.GetFileName(l!.GetValue<string>())))}")];

    private static string Config(ManifestContent image) => JsonNode.Parse(image.Content)!["config"]!["digest"]!.GetValue<string>()["sha256:".Length..];

    private static byte[] Bytes(string content) => Encoding.UTF8.GetBytes(content);

    private static Descriptor Blob(string content, string mediaType = MediaTypes.OciLayerGzip) => new(mediaType, Digest.Of(Bytes(content)), Bytes(content).Length);

    private static Task<ManifestContent> PutImageAsync(LayoutRepository repository, string content, params string[] tags)
        => PutLayerAsync(repository, content, MediaTypes.OciLayerGzip, tags);

    /// <summary>As Transfer does it: blobs, the manifest by digest, its tags.</summary>
    private static async Task<ManifestContent> PutLayerAsync(LayoutRepository repository, string content, string layerType, params string[] tags)
    {
        var config = $$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["{{{Blob(content).Digest}}}"]}}""";
        await UploadAsync(repository, Blob(content, layerType), Bytes(content));
        await UploadAsync(repository, Blob(config), Bytes(config));
        var manifest = Bytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciManifest,
            ["config"] = Blob(config, MediaTypes.OciConfig).ToJson(),
            ["layers"] = new JsonArray(Blob(content, layerType).ToJson()),
        }.ToJsonString());
        var result = new ManifestContent(new(MediaTypes.OciManifest, Digest.Of(manifest), manifest.Length), manifest);
        foreach (var reference in tags.Prepend(result.Descriptor.Digest.ToString()))
        {
            await repository.PutManifestAsync(reference, result, default);
        }

        return result;
    }

    private static ManifestContent IndexOf(IEnumerable<ManifestContent> children)
    {
        var content = Bytes(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = MediaTypes.OciIndex, ["manifests"] = new JsonArray([.. children.Select(c => c.Descriptor.ToJson())]) }.ToJsonString());
        return new(new(MediaTypes.OciIndex, Digest.Of(content), content.Length), content);
    }

    private static async Task UploadAsync(LayoutRepository repository, Descriptor blob, byte[] content)
        => await repository.UploadAsync(await repository.StartUploadAsync(default), blob, () => new MemoryStream(content, writable: false), null, default);

    private static void Pipe(string path)
    {
        File.Delete(path);
        using var mkfifo = System.Diagnostics.Process.Start("mkfifo", path);
        mkfifo.WaitForExit();
        Assert.Equal(0, mkfifo.ExitCode);
    }
}
