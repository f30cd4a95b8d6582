using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Editions;
using Xunit;

namespace Registry.Sdk.Core.Tests.Editions;

/// <summary>Licence expressions: the table that evaluation is held against too, and what must hold for all of them.</summary>
public class SpdxExpressionTests
{
    private static readonly Config Many = Config.QuickThrowOnFailure.WithMaxTest(1000);
    private static readonly LicensePolicy Mit = LicensePolicy.Of("MIT", []);

    public static TheoryData<string, string> Table()
    {
        var rows = new TheoryData<string, string>();
        foreach (var line in File.ReadLines(RepositoryFiles.At("tests", "Registry.Sdk.TestKit", "license-expressions.txt")).Where(l => l.Length > 0 && l[0] != '#'))
        {
            var blank = line.IndexOf(' ', StringComparison.Ordinal);
            rows.Add(line[..blank], line[blank..].Trim());
        }

        return rows;
    }

    /// <summary>Expressions as trees, so that the answer is known without a parser.</summary>
    private static Gen<Tree> Trees(int size) => size == 0
        ? Gen.Elements("MIT", "BUSL-1.1", "Apache-2.0", "LicenseRef-A", "ISC").Select(i => new Tree(i, i is "MIT" or "Apache-2.0" or "ISC", 2))
        : Gen.OneOf(Trees(0), Join("AND", 1, size), Join("OR", 0, size));

    private static Gen<Tree> Join(string word, int rank, int size)
        => from a in Trees(size / 2)
           from b in Trees(size / 2)
           from extra in Gen.Elements(true, false)
           select new Tree($"{Wrap(a, rank, extra)} {word} {Wrap(b, rank, false)}", word == "AND" ? a.Allowed && b.Allowed : a.Allowed || b.Allowed, rank);

    private static string Wrap(Tree tree, int rank, bool extra) => tree.Rank < rank || extra ? $"({tree.Text})" : tree.Text;

    [Theory]
    [MemberData(nameof(Table))]
    public void Every_row_of_the_table_is_judged_as_it_says(string expected, string expression)
        => Assert.Equal(expected, Mit.Judge(expression).ToString().ToLowerInvariant());

    [Fact]
    public void The_table_has_rows_of_all_three_kinds() => Assert.Equal(3, Table().Select(r => (string)((object[])r)[0]).Distinct().Count());

    [Fact]
    public void Every_tree_of_AND_and_OR_is_judged_as_logic_has_it()
        => Prop.ForAll(Trees(16).ToArbitrary(), t => Mit.Judge(t.Text) == (t.Allowed ? LicenseVerdict.Allowed : LicenseVerdict.Refused)).Check(Many);

    [Fact]
    public void No_text_makes_the_parser_throw_and_what_it_takes_it_takes_again()
        => Prop.ForAll(Gen.Elements("MIT", "AND", "OR", "WITH", "(", ")", " ", "+", ":", "LicenseRef-", "x", "é", "\0").ListOf().Select(string.Concat).ToArbitrary(), text =>
            !SpdxExpression.TryParse(text, out var parsed) || (SpdxExpression.TryParse($"({parsed.Text})", out var again) && again.Ids.SequenceEqual(parsed.Ids))).Check(Many);

    [Fact]
    public void A_hundred_thousand_parentheses_are_malformed_and_do_not_end_the_process()
        => Assert.Equal(LicenseVerdict.Malformed, Mit.Judge(new string('(', 100_000) + "MIT" + new string(')', 100_000)));

    [Theory]
    [InlineData("", LicenseVerdict.Malformed)]
    [InlineData("  MIT ", LicenseVerdict.Allowed)]
    [InlineData("LicenseRef-Acme+", LicenseVerdict.Malformed)]
    [InlineData("LicenseRef-", LicenseVerdict.Refused)]
    [InlineData("and", LicenseVerdict.Malformed)]
    [InlineData("DocumentRef-spdx-tool:LicenseRef-Acme", LicenseVerdict.Refused)]
    [InlineData("DocumentRef-:LicenseRef-Acme", LicenseVerdict.Malformed)]
    [InlineData("DocumentRef-a:LicenseRef-", LicenseVerdict.Malformed)]
    [InlineData("DocumentRef-a:MIT", LicenseVerdict.Malformed)]
    [InlineData("MIT WITH", LicenseVerdict.Malformed)]
    [InlineData("MIT WITH and", LicenseVerdict.Malformed)]
    [InlineData("MIT OR", LicenseVerdict.Malformed)]
    [InlineData("MIT)", LicenseVerdict.Malformed)]
    [InlineData("MIT Apache-2.0", LicenseVerdict.Malformed)]
    [InlineData("BUSL-1.1\tOR\r\nMIT", LicenseVerdict.Allowed)]
    [InlineData("(BUSL-1.1)OR(MIT)", LicenseVerdict.Allowed)]
    [InlineData("M\u0130T", LicenseVerdict.Malformed)]
    public void Edges_that_are_not_in_the_table(string expression, LicenseVerdict expected) => Assert.Equal(expected, Mit.Judge(expression));

    [Fact]
    public void A_list_of_the_users_replaces_the_default_one_and_the_own_licence_stays_allowed()
    {
        var policy = LicensePolicy.Of("MIT AND LicenseRef-Acme", ["GPL-3.0-only"]);
        Assert.Equal(LicenseVerdict.Refused, policy.Judge("Apache-2.0"));
        Assert.Equal(LicenseVerdict.Allowed, policy.Judge("gpl-3.0-only"));
        Assert.Equal(LicenseVerdict.Allowed, policy.Judge("mit AND LicenseRef-Acme"));
        Assert.Equal(LicenseVerdict.Allowed, policy.Judge("LicenseRef-Acme"));
        Assert.Equal(LicenseVerdict.Allowed, policy.Judge("MIT"));

        // A list in MSBuild is split at semicolons, and has the blanks and line ends that stood between them.
        var spelled = LicensePolicy.Of("LicenseRef-Acme", ["\n  GPL-2.0+ ", " MPL-2.0\n"]);
        Assert.Equal(LicenseVerdict.Allowed, spelled.Judge("GPL-2.0 AND MPL-2.0"));
        Assert.Equal(LicenseVerdict.Refused, spelled.Judge("MIT"));
        Assert.Equal(LicenseVerdict.Allowed, LicensePolicy.Of("LicenseRef-Acme", []).Judge("MIT"));
    }

    [Theory]
    [InlineData("MIT", true)]
    [InlineData("AGPL-3.0-or-later", true)]
    [InlineData("GPL-2.0+", true)]
    [InlineData("mpl-2.0 AND EPL-2.0", true)]
    [InlineData("GPL-2.0-only WITH Classpath-exception-2.0", true)]
    [InlineData("BUSL-1.1 OR MIT", true)]
    [InlineData("MIT AND BUSL-1.1", false)]
    [InlineData("BUSL-1.1", false)]
    [InlineData("BSL", false)]
    [InlineData("SSPL-1.0", false)]
    [InlineData("Elastic-2.0", false)]
    [InlineData("CC-BY-NC-4.0", false)]
    [InlineData("LicenseRef-Acme", false)]
    [InlineData("", false)]
    [InlineData("(MIT", false)]
    public void Open_source_is_what_the_OSI_approved(string expression, bool expected) => Assert.Equal(expected, LicensePolicy.IsOpenSource(expression));

    [Theory]
    [InlineData("BSL", "BSL")]
    [InlineData("MIT OR bsl-1.1", "bsl-1.1")]
    [InlineData("BSL-1.0", null)]
    [InlineData("BUSL-1.1", null)]
    public void Names_taken_for_the_Business_Source_License_are_found(string expression, string? expected) => Assert.Equal(expected, LicensePolicy.MistakenName(expression));

    private sealed record Tree(string Text, bool Allowed, int Rank);
}
