using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

public class LayerSplitTests
{
    private const long Large = LayerSplit.MinimumSize;

    private static ReachableRids LinuxX64 => RidGraphTests.Graph.From(["linux-x64"])!;

    /// <summary>Path and owner's layer, for the portable dependency file of <see cref="DependencyFileTests"/>.</summary>
    private static readonly (string Path, string Layer)[] Published =
    [
        ("Api", "Application"), ("Api.deps.json", "Packages"), ("Api.dll", "Application"), ("Api.pdb", "Application"), ("Api.runtimeconfig.json", "Application"), ("Api.xml", "Application"),
        ("Api.staticwebassets.endpoints.json", "Application"), ("appsettings.json", "Application"), ("de/Api.resources.dll", "Application"),
        ("Big.dll", "Packages"), ("Big.pdb", "Packages"), ("Big.xml", "Packages"), ("big.dll", "Application"), ("Big.json", "Application"), ("sub/Big.pdb", "Application"), ("pt-BR/Big.resources.dll", "Packages"),
        ("Orders.Lib.dll", "References"), ("Orders.Lib.pdb", "References"), ("Orders.Lib.xml", "References"), ("de/Orders.Lib.resources.dll", "References"), ("Ext.dll", "References"),
        ("runtimes/linux-x64/native/libn.so", "Packages"), ("runtimes/win-x64/native/n.dll", "LeftOut"), ("runtimes/win-x64/native/n.pdb", "LeftOut"), ("runtimes/win/lib/net8.0/Native.dll", "LeftOut"),
        ("runtimes/win-x64/native/mine.dll", "Application"), // the user's own, in no list
        ("wwwroot/app.css", "Application"), ("wwwroot/_content/Orders.Lib/a.css", "References"), ("wwwroot/_content/orders.lib/deep/a.css.gz", "References"), ("wwwroot/_content/META/b.css", "Packages"),
        ("wwwroot/_content/Nobody/c.css", "Application"), ("wwwroot/_content/d.css", "Application"), ("wwwroot/_content/Api/e.css", "Application"), ("_content/Meta/f.css", "Application"),
    ];

    [Fact]
    public void Each_file_goes_with_its_owner()
    {
        var result = LayerSplit.Split([.. Published.Select(p => File(p.Path, Large))], DependencyFileTests.Parse(DependencyFileTests.Portable), LinuxX64);

        Assert.Equal([LayerKind.Packages, LayerKind.References, LayerKind.Application], result.Layers.Select(l => l.Kind));
        Assert.Equal(Published.OrderBy(p => p.Path, StringComparer.Ordinal), Where(result).OrderBy(p => p.Path, StringComparer.Ordinal));
    }

    /// <summary>A dependency file can say what it likes about files that are not below runtimes/.</summary>
    [Fact]
    public void Only_runtime_files_are_left_out()
    {
        var dependencies = DependencyFile.Parse("Api.deps.json", """
            { "runtimeTarget": { "name": "t" }, "targets": { "t": { "X/1.0.0": { "runtimeTargets": {
                "Api.dll": { "rid": "win-x64", "assetType": "runtime" }, "runtimes/win-x64/native/x.dll": { "rid": "win-x64", "assetType": "native" } } } } },
              "libraries": { "X/1.0.0": { "type": "package" } } }
            """u8.ToArray());
        var result = LayerSplit.Split([File("Api.dll", Large), File("runtimes/win-x64/native/x.dll", Large)], dependencies, LinuxX64);
        Assert.Equal(["runtimes/win-x64/native/x.dll"], result.LeftOut.Select(f => f.Path));
    }

    [Fact]
    public void A_self_contained_application_s_runtime_lies_below_all()
    {
        string[] paths = ["Api", "Api.deps.json", "Api.dll", "System.Private.CoreLib.dll", "createdump", "libcoreclr.so", "libn.so"];
        var result = LayerSplit.Split([.. paths.Select(p => File(p, Large))], DependencyFileTests.Parse(DependencyFileTests.SelfContained), LinuxX64);
        Assert.Equal("Runtime: System.Private.CoreLib.dll createdump libcoreclr.so | Packages: Api.deps.json libn.so | Application: Api Api.dll", Text(result));
    }

    /// <summary>Sizes of packages, references and application in KiB.</summary>
    [Theory]
    [InlineData(64, 64, 1, "Packages: Api.deps.json Big.dll | References: Orders.Lib.dll | Application: Api.dll")]
    [InlineData(64, 63, 1, "Packages: Api.deps.json Big.dll | Application: Api.dll Orders.Lib.dll")]
    [InlineData(63, 64, 1, "References: Big.dll Orders.Lib.dll | Application: Api.deps.json Api.dll")]
    [InlineData(32, 32, 1, "References: Big.dll Orders.Lib.dll | Application: Api.deps.json Api.dll")]
    [InlineData(32, 31, 1, "Application: Api.deps.json Api.dll Big.dll Orders.Lib.dll")]
    [InlineData(64, 0, 0, "Packages: Api.deps.json Big.dll | Application: Api.dll Orders.Lib.dll")]
    public void Small_layers_are_merged_upwards(int packages, int references, int application, string expected)
    {
        BillFile[] files = [File("Big.dll", packages * 1024), File("Orders.Lib.dll", references * 1024), File("Api.dll", application * 1024), File("Api.deps.json", 1024 * 1024)];
        Assert.Equal(expected, Text(LayerSplit.Split(files, DependencyFileTests.Parse(DependencyFileTests.Portable), LinuxX64)));
    }

    [Fact]
    public void The_dependency_file_stays_with_the_application_if_projects_are_versioned()
    {
        BillFile[] files = [File("Big.dll", Large), File("Api.dll", 1), File("Api.deps.json", 1)];
        var versioned = DependencyFileTests.Parse(DependencyFileTests.Portable.Replace("Api/1.0.0", "Api/1.2.3-alpha.0.4"));
        Assert.Equal("Packages: Big.dll | Application: Api.deps.json Api.dll", Text(LayerSplit.Split(files, versioned, LinuxX64)));
    }

    [Fact]
    public void Nothing_is_left_out_of_an_image_whose_rids_are_not_known()
        => Assert.Empty(LayerSplit.Split([.. Published.Select(p => File(p.Path, Large))], DependencyFileTests.Parse(DependencyFileTests.Portable), reachable: null).LeftOut);

    [Fact]
    public void Without_a_dependency_file_everything_is_application()
    {
        Assert.Equal("Application: Api.dll runtimes/win-x64/native/n.dll", Text(LayerSplit.Split([File("runtimes/win-x64/native/n.dll", Large), File("Api.dll", Large)], dependencies: null, LinuxX64)));
        Assert.Equal("Application: ", Text(LayerSplit.Split([], dependencies: null, LinuxX64)));
    }

    [Fact]
    public void Every_file_is_in_one_place_whatever_the_sizes_and_their_order_does_not_matter()
    {
        var dependencies = DependencyFileTests.Parse(DependencyFileTests.Portable);
        var files = Gen.Choose(0, 40 * 1024).ArrayOf(Published.Length).Select(sizes => Published.Select((p, i) => File(p.Path, sizes[i])).ToArray()).SelectMany(f => Gen.SubListOf(f));
        Prop.ForAll(files.ToArbitrary(), some =>
        {
            var result = LayerSplit.Split([.. some], dependencies, LinuxX64);
            var all = Where(result).Select(p => p.Path).ToList();
            return all.Order(StringComparer.Ordinal).SequenceEqual(some.Select(f => f.Path).Order(StringComparer.Ordinal))
                && result.Layers[^1].Kind == LayerKind.Application
                && result.Layers.SkipLast(1).All(l => l.Files.Sum(f => f.Size) >= LayerSplit.MinimumSize)
                && result.Layers.Zip(result.Layers.Skip(1)).All(p => p.First.Kind < p.Second.Kind)
                && Text(result) == Text(LayerSplit.Split([.. Enumerable.Reverse(some)], dependencies, LinuxX64))
                // Upwards alone: nothing lies lower than its owner says.
                && Where(result).All(p => p.Layer == "LeftOut" || Enum.Parse<LayerKind>(p.Layer) >= Enum.Parse<LayerKind>(Published.Single(q => q.Path == p.Path).Layer));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    private static IEnumerable<(string Path, string Layer)> Where(LayerSplitResult result)
        => result.Layers.SelectMany(l => l.Files.Select(f => (f.Path, l.Kind.ToString()))).Concat(result.LeftOut.Select(f => (f.Path, "LeftOut")));

    private static string Text(LayerSplitResult result) => string.Join(" | ", result.Layers.Select(l => $"{l.Kind}: {string.Join(' ', l.Files.Select(f => f.Path))}"));

    private static BillFile File(string path, long size) => new(path, "/publish/" + path, size, Digest.Of([]), IsExecutable: false);
}
