using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>What is wrong with the usage, a registry or a credential is said before anything is built; nothing is written.</summary>
public sealed class PreflightTests(Registries registries) : IClassFixture<Registries>, IAsyncLifetime
{
    private Bench bench = null!;

    public async Task InitializeAsync()
    {
        bench = await Bench.CreateAsync(registries);
        bench.Request = bench.Request with { CheckOnly = true, Platforms = [], RuntimeIdentifiers = ["linux-x64"] };
        await File.WriteAllTextAsync(bench.Request.Reports.ReceiptPath, "from before");
    }

    public async Task DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task Where_all_is_well_it_reports_nothing_and_names_the_source_of_each_credential()
    {
        var check = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Empty(check.Report.Images);
        Assert.Equal("from before", check.Receipt);
        Assert.Contains($"{bench.Open.Host}/{bench.Name}: no credentials needed", check.Log);
        Assert.Contains($"{bench.Closed.Host}/{bench.Name}: credentials from RegistrySdkCredential '{bench.Closed.Host}' (environment variable CLOSED_PASSWORD)", check.Log);
        Assert.DoesNotContain(bench.Login.Password, string.Join('\n', check.Log), StringComparison.Ordinal);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);
    }

    [Theory]
    [InlineData("nobody there", "RSDK5001")]
    [InlineData("web page", "RSDK5002")]
    [InlineData("no credentials", "RSDK5003")]
    [InlineData("wrong password", "RSDK5003")]
    [InlineData("variable not set", "RSDK5009")]
    [InlineData("misspelt metadata", "RSDK9017")]
    [InlineData("windows", "RSDK4005")]
    [InlineData("same platform twice", "RSDK4007")]
    [InlineData("one folder for two", "RSDK3007")]
    [InlineData("bad switch", "RSDK9016")]
    [InlineData("bad destination", "RSDK9001")]
    public async Task What_is_wrong_is_an_error_in_the_receipt_too(string what, string code)
    {
        var destinations = bench.Request.Destinations;
        switch (what)
        {
            case "nobody there":
                bench.Request = bench.Request with { Destinations = [.. destinations, new("localhost:1/a/b")] };
                break;
            case "web page":
                bench.Open.Lie = Answers.Html;
                break;
            case "no credentials":
                bench.Request = bench.Request with { Credentials = [] };
                break;
            case "wrong password":
                bench.Set(("CLOSED_PASSWORD", "not it"));
                break;
            case "variable not set":
                bench.Set(("CLOSED_PASSWORD", ""));
                break;
            case "misspelt metadata":
                bench.Request = bench.Request with { Metadata = [new("ContainerDestination", destinations[0].Include, ["Visiblity"])] };
                break;
            case "windows":
                bench.Request = bench.Request with { RuntimeIdentifiers = ["linux-x64", "win-x64"] };
                break;
            case "same platform twice":
                bench.Request = bench.Request with { RuntimeIdentifiers = ["linux-x64", "linux-musl-x64"] };
                break;
            case "one folder for two":
                bench.Request = bench.Request with { RuntimeIdentifiers = ["linux-x64", "linux-arm64"], HasOneOutputFolder = true };
                break;
            case "bad switch":
                bench.Request = bench.Request with { VisibilityMismatch = "perhaps" };
                break;
            default:
                bench.Request = bench.Request with { Destinations = [new("nothing")] };
                break;
        }

        var check = await bench.PublishAsync();

        Assert.Equal([code], check.Errors.Select(e => e.Code));
        Assert.Contains(code, check.Receipt, StringComparison.Ordinal);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);
    }

    [Fact]
    public async Task Every_destination_is_judged_and_not_only_the_first()
    {
        bench.Open.Lie = Answers.Html;
        bench.Set(("CLOSED_PASSWORD", "not it"));

        var check = await bench.PublishAsync();

        Assert.Equal(["RSDK5002", "RSDK5003"], check.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_registry_that_does_not_answer_in_time_is_left_to_the_publish()
    {
        using var end = new CancellationTokenSource();
        bench.Open.Lie = async _ =>
        {
            try
            {
                await Task.Delay(TimeSpan.FromMinutes(5), end.Token);
            }
            catch (OperationCanceledException)
            {
                // The test is over.
            }

            return false;
        };

        var check = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Contains($"{bench.Open.Host}/{bench.Name}: no answer within {Preflight.Patience.TotalSeconds:0} seconds; it is asked again when the image is built", check.Log);
        await end.CancelAsync();
    }

    [Fact]
    public async Task A_build_that_goes_nowhere_asks_nobody()
    {
        bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations.Select(d => d with { On = "branch" })] };

        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Empty(bench.Arrivals);
    }

    [Fact]
    public async Task A_warning_that_the_user_raised_stops_here_and_any_other_is_left_to_the_publish()
    {
        bench.Request = bench.Request with { Configuration = "Debug" };
        (await bench.PublishAsync()).EnsureSucceeded();

        bench.Request = bench.Request with { RaisesToError = code => code == "RSDK2010" };
        Assert.Equal(["RSDK2010"], (await bench.PublishAsync()).Errors.Select(e => e.Code));
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);
    }
}
