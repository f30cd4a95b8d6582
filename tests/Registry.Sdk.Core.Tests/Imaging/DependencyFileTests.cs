using System.Text;
using Registry.Sdk.Core.Imaging;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

public class DependencyFileTests
{
    /// <summary>As SDK 10.0.401 writes it for a portable publish; each line was seen in one.</summary>
    internal const string Portable = """
        {"runtimeTarget":{"name":".NETCoreApp,Version=v10.0","signature":""},"compilationOptions":{},
         "targets":{".NETCoreApp,Version=v10.0":{
           "Api/1.0.0":{"dependencies":{"Big":"2.0.0"},"runtime":{"Api.dll":{}},"resources":{"de/Api.resources.dll":{"locale":"de"}}},
           "Big/2.0.0":{"runtime":{"lib/net8.0/Big.dll":{"assemblyVersion":"2.0.0.0","fileVersion":"2.0.0.0"}},"resources":{"lib/net8.0/pt-BR/Big.resources.dll":{"locale":"pt-BR"}}},
           "Meta/2.0.0":{"dependencies":{"Big":"2.0.0"}},
           "Native/3.1.0":{"runtimeTargets":{
             "runtimes/linux-x64/native/libn.so":{"rid":"linux-x64","assetType":"native","fileVersion":"0.0.0.0"},
             "runtimes/win-x64/native/n.dll":{"rid":"win-x64","assetType":"native","fileVersion":"0.0.0.0"},
             "runtimes/win/lib/net8.0/Native.dll":{"rid":"win","assetType":"runtime","assemblyVersion":"3.1.0.0","fileVersion":"3.1.0.0"}}},
           "Orders.Lib/1.0.0":{"runtime":{"Orders.Lib.dll":{"assemblyVersion":"1.0.0.0","fileVersion":"1.0.0.0"}},"resources":{"de/Orders.Lib.resources.dll":{"locale":"de"}}},
           "Ext/7.1.0.0":{"runtime":{"Ext.dll":{"assemblyVersion":"7.1.0.0","fileVersion":"7.1.0.0"}}}}},
         "libraries":{
           "Api/1.0.0":{"type":"project","serviceable":false,"sha512":""},
           "Big/2.0.0":{"type":"package","serviceable":true,"sha512":"sha512-x","path":"big/2.0.0","hashPath":"big.2.0.0.nupkg.sha512"},
           "Meta/2.0.0":{"type":"package","serviceable":true,"sha512":"sha512-x"},
           "Native/3.1.0":{"type":"package","serviceable":true,"sha512":"sha512-x"},
           "Orders.Lib/1.0.0":{"type":"project","serviceable":false,"sha512":""},
           "Ext/7.1.0.0":{"type":"reference","serviceable":false,"sha512":""}}}
        """;

    /// <summary>For one RID and self-contained: two targets, native files named by where they lie in the package, and the runtime packs.</summary>
    internal const string SelfContained = """
        {"runtimeTarget":{"name":".NETCoreApp,Version=v10.0/linux-x64","signature":""},"compilationOptions":{},
         "targets":{".NETCoreApp,Version=v10.0":{},".NETCoreApp,Version=v10.0/linux-x64":{
           "Api/1.0.0":{"dependencies":{"runtimepack.Microsoft.NETCore.App.Runtime.linux-x64":"10.0.12"},"runtime":{"Api.dll":{}}},
           "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/10.0.12":{"runtime":{"System.Private.CoreLib.dll":{"assemblyVersion":"10.0.0.0","fileVersion":"10.0.1226.42308"}},"native":{"createdump":{"fileVersion":"0.0.0.0"},"libcoreclr.so":{"fileVersion":"0.0.0.0"}}},
           "Native/3.1.0":{"native":{"runtimes/linux-x64/native/libn.so":{"fileVersion":"0.0.0.0"}}}}},
         "libraries":{
           "Api/1.0.0":{"type":"project"},"runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/10.0.12":{"type":"runtimepack"},"Native/3.1.0":{"type":"package"}},
         "runtimes":{"linux-x64":["linux","unix-x64","unix","any","base"]}}
        """;

    internal static DependencyFile Parse(string json) => DependencyFile.Parse("Api.deps.json", Encoding.UTF8.GetBytes(json))!;

    [Fact]
    public void Portable_publish()
        => AssertAssets(
            Parse(Portable),
            "Api.dll Api Application -", "Big.dll Big Package -", "Ext.dll Ext Reference -", "Orders.Lib.dll Orders.Lib Project -",
            "de/Api.resources.dll Api Application -", "de/Orders.Lib.resources.dll Orders.Lib Project -", "pt-BR/Big.resources.dll Big Package -",
            "runtimes/linux-x64/native/libn.so Native Package linux-x64", "runtimes/win-x64/native/n.dll Native Package win-x64", "runtimes/win/lib/net8.0/Native.dll Native Package win");

    [Fact]
    public void Self_contained_publish()
        => AssertAssets(
            Parse(SelfContained),
            "Api.dll Api Application -", "System.Private.CoreLib.dll runtimepack.Microsoft.NETCore.App.Runtime.linux-x64 RuntimePack -",
            "createdump runtimepack.Microsoft.NETCore.App.Runtime.linux-x64 RuntimePack -", "libcoreclr.so runtimepack.Microsoft.NETCore.App.Runtime.linux-x64 RuntimePack -", "libn.so Native Package -");

    [Fact]
    public void The_host_s_other_spellings()
        => AssertAssets(
            Parse("""
                {"runtimeTarget":"t","libraries":{"P/1.0":{"type":"package"},"Q/1":{"type":"something new"}},"targets":{"t":{
                  "P/1.0":{"runtime":{"lib/net8.0/P.dll":{"localPath":"deep\\P.dll"}},"native":{"n.so":{"localPath":""}},"runtimeTargets":{"runtimes/x/native/n.so":{"assetType":"native"}}},
                  "Q/1":{"runtime":{"Q.dll":{}}},"Unlisted":{"runtime":{"U.dll":{}}}}}}
                """),
            "Q.dll Q Application -", "U.dll Unlisted Application -", "deep/P.dll P Package -", "n.so P Package -", "runtimes/x/native/n.so P Package ");

    [Fact]
    public void Of_two_that_claim_a_file_the_one_that_changes_more_often_has_it()
    {
        const string Text = """{"runtimeTarget":"t","libraries":{"A/1":{"type":"package"},"B/1":{"type":"project"}},"targets":{"t":{"1st/1":{"runtime":{"X.dll":{}}},"2nd/1":{"runtime":{"X.dll":{}}}}}}""";
        foreach (var (first, second) in (ReadOnlySpan<(string, string)>)[("A", "B"), ("B", "A")])
        {
            var file = Parse(Text.Replace("1st", first).Replace("2nd", second));
            Assert.Equal(LibraryType.Project, file.Assets["X.dll"].Type);
        }
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("Orders.Lib/1.0.0=Orders.Lib/1.0.1", false)]
    [InlineData("Api/1.0.0=Api/1.0.0-alpha.0.3", false)]
    [InlineData("1.0.0.0=1.0.0.417", false)] // Nerdbank.GitVersioning's file version
    [InlineData("Big/2.0.0=Big/2.0.1", true)]
    [InlineData("7.1.0.0=7.2.0.0", true)]
    public void Which_projects_have_a_version_of_their_own(string change, bool expected)
        => Assert.Equal(expected, Parse(change.Length == 0 ? Portable : Portable.Replace(change.Split('=')[0], change.Split('=')[1])).HasOnlyDefaultVersions);

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"runtimeTarget":{"name":"t"},"targets":{"t":{}}}""")]
    [InlineData("""{"runtimeTarget":{"name":"t"},"libraries":{},"targets":{"u":{}}}""")]
    [InlineData("""{"runtimeTarget":{"name":7},"libraries":{},"targets":{"t":{}}}""")]
    [InlineData("""{"runtimeTarget":{"name":null},"libraries":{},"targets":{"t":{}}}""")]
    [InlineData("""{"runtimeTarget":"t","libraries":{},"targets":{"t":{"A/1":7}}}""")]
    [InlineData("""{"runtimeTarget":"t","libraries":{},"targets":{"t":{"A/1":{"runtime":["A.dll"]}}}}""")]
    [InlineData("""{"runtimeTarget":"t","libraries":{},"targets":{"t":{"A/1":{"runtime":{"A.dll":7}}}}}""")]
    [InlineData("""{"runtimeTarget":"t","libraries":{},"targets":{"t":{"A/1":{"resources":{"A.dll":{}}}}}}""")]
    [InlineData("""{"runtimeTarget":"t","libraries":{"A/1":{}},"targets":{"t":{"A/1":{}}}}""")]
    [InlineData("""{"runtimeTarget":"t","libraries":[],"targets":{"t":{"A/1":{}}}}""")]
    [InlineData("""{"runtimeTarget":"t","libraries":{},"targets":{"t":{"A/1":{},"A/1":{}}}}""")]
    public void What_the_sdk_does_not_write(string text) => Assert.Null(DependencyFile.Parse("Api.deps.json", Encoding.UTF8.GetBytes(text)));

    private static void AssertAssets(DependencyFile file, params string[] expected)
        => Assert.Equal(expected, file.Assets.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => $"{a.Key} {a.Value.Library} {a.Value.Type} {a.Value.Rid ?? "-"}"));
}
