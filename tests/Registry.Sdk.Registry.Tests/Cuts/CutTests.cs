using Registry.Sdk.Cuts;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Cuts;

/// <summary>A seeded sample of what build/soak does in full: wherever a publish breaks, no destination is mixed in silence, and the next run finishes.</summary>
public sealed class CutTests(MatrixFixture fixture) : IClassFixture<MatrixFixture>
{
    private const int Seed = 20261122;

    [Fact]
    public async Task A_publish_cut_anywhere_leaves_old_new_or_pending_and_the_next_run_finishes()
    {
        var cuts = fixture.Matrix.Sample(60, Seed);
        // Each kind at least, or the sample says less than its size.
        Assert.Equal(Matrix.Kinds.Select(k => k.Name).Distinct().Order(), cuts.Select(c => c.Kind.Name).Distinct().Order());
        var results = new CutResult[cuts.Count];

        await Parallel.ForAsync(0, cuts.Count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (i, _) => results[i] = await fixture.Matrix.TryAsync(cuts[i], freshClone: i % 2 == 1));

        Assert.True(results.All(r => r.Wrong.Count == 0), string.Join('\n', Table.Wrong(results)) + "\n\n" + Table.Of(results));
    }

    [Fact]
    public async Task A_publish_killed_anywhere_leaves_old_new_or_pending_and_the_next_run_finishes()
    {
        const int Points = 10;
        var requests = fixture.Matrix.Requests.Sum(r => r.Count);
        var results = new List<CutResult>();
        for (var i = 0; i < Points; i++)
        {
            // Other points than those of the soak, and most of them where tags are written: in the last third.
            var request = i < 3 ? requests * (i + 1) / 6 : (requests * 2 / 3) + (requests * (i - 3) / 3 / (Points - 3));
            results.Add(await Kill.TryAsync(fixture.Matrix, request, freshClone: i % 2 == 1));
        }

        Assert.True(results.All(r => r.Wrong.Count == 0), string.Join('\n', Table.Wrong(results)) + "\n\n" + Table.Of(results));
        Assert.Contains(results, r => r.Kind == "kill -9");
    }

    [Fact]
    public async Task A_publish_to_real_registries_over_a_bad_line_leaves_old_new_or_pending_and_the_next_run_finishes()
    {
        await using var line = await Line.CreateAsync();
        var results = new List<CutResult>();
        for (var i = 0; i < 10; i++)
        {
            results.Add(await line.TryAsync(Seed + i, restart: i == 5));
        }

        Assert.True(results.All(r => r.Wrong.Count == 0), string.Join('\n', Table.Wrong(results)) + "\n\n" + Table.Of(results));
        Assert.Contains(results, r => r.Kind == "bad line");
    }
}

/// <summary>One matrix for all tests: what is published, and what an undisturbed publish comes to.</summary>
public sealed class MatrixFixture : IAsyncLifetime
{
    public Matrix Matrix { get; private set; } = null!;

    public async Task InitializeAsync() => Matrix = await Matrix.CreateAsync();

    public async Task DisposeAsync() => await Matrix.DisposeAsync();
}
