using System.Diagnostics;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Git;

/// <summary>The Facts stage against the real git, in repositories made for each test.</summary>
public sealed class GitFactsTests : IDisposable
{
    private readonly GitSandbox _box = new();

    public void Dispose() => _box.Dispose();

    [Fact]
    public async Task A_branch_gives_its_name_commit_and_committer_time()
    {
        var repo = _box.Repository();
        _box.Run(repo, "checkout", "-q", "-b", "feature/Login_Form");
        var commit = _box.Commit(repo, "second");

        var facts = await _box.FactsAsync(repo);

        Assert.Equal(GitState.Ok, facts.State);
        Assert.Equal(commit, facts.Commit);
        Assert.Equal("feature/Login_Form", facts.Branch);
        Assert.Equal(repo, facts.RootDirectory);
        Assert.Equal(["feature/Login_Form", "main"], facts.Branches);
        Assert.Equal(long.Parse(_box.Run(repo, "show", "-s", "--format=%ct", "HEAD")), facts.CommitTime!.Value.ToUnixTimeSeconds());
        Assert.Equal(TimeSpan.Zero, facts.CommitTime.Value.Offset);
        Assert.Empty(facts.DirtyFiles);
        Assert.False(facts.IsShallow);
        Assert.Null(facts.RemoteUrl);
        Assert.Equal((null, 1), (facts.NearestVersionTag, facts.Height));
    }

    [Fact]
    public async Task A_git_that_does_not_end_is_stopped_and_named()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // no named pipes in folders
        }

        var repo = _box.Repository();
        using (var mkfifo = Process.Start("mkfifo", Path.Combine(repo, ".gitignore")))
        {
            await mkfifo.WaitForExitAsync();
        }

        var facts = await _box.FactsAsync(repo, git: new GitCommandLine(_box.Environment, TimeSpan.FromSeconds(2))).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(GitState.Failed, facts.State);
        Assert.Contains("git ls-files --others", facts.Error, StringComparison.Ordinal);
        Assert.Contains("2 seconds", facts.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_git_that_hangs_is_stopped_with_what_it_started()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // the git is a shell script
        }

        var (bin, pids) = (Path.Combine(_box.Root, "bin"), Path.Combine(_box.Root, "pids"));
        GitSandbox.Write(_box.Root, "bin/git", $"#!/bin/sh\nsleep 600 &\necho $! >>{pids}\necho line\nwait\n");
        File.SetUnixFileMode(Path.Combine(bin, "git"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var git = new GitCommandLine(new Dictionary<string, string>(StringComparer.Ordinal) { ["PATH"] = bin + ":/usr/bin:/bin" }, TimeSpan.FromSeconds(1));

        var run = await Assert.ThrowsAsync<GitException>(() => git.RunAsync(_box.Root, ["status", "-z"], CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Contains("git status -z", run.Message, StringComparison.Ordinal);
        var lines = git.ReadLinesAsync(_box.Root, ["rev-list", "HEAD"], CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await lines.MoveNextAsync());
        var read = await Assert.ThrowsAsync<GitException>(() => lines.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Contains("git rev-list HEAD", read.Message, StringComparison.Ordinal);
        Assert.Null(await new GitCommitHistory(git, _box.Root, isShallow: false).IsAncestorAsync(new('a', 40), new('b', 40), CancellationToken.None));

        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        var patient = new GitCommandLine(new Dictionary<string, string>(StringComparer.Ordinal) { ["PATH"] = bin + ":/usr/bin:/bin" }, TimeSpan.FromSeconds(60));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => patient.RunAsync(_box.Root, ["status"], cancel.Token).WaitAsync(TimeSpan.FromSeconds(20)));

        // Killed: gone, or a zombie that nobody has waited for yet.
        Assert.Equal(4, File.ReadAllLines(pids).Length);
        // The kernel takes a moment from the signal to the end.
        var patience = System.Diagnostics.Stopwatch.StartNew();
        while (Alive().Any() && patience.Elapsed < TimeSpan.FromSeconds(20))
        {
            await Task.Delay(50);
        }

        Assert.Empty(Alive());

        IEnumerable<string> Alive() => File.ReadAllLines(pids).Where(pid =>
        {
            try
            {
                return !File.ReadAllText($"/proc/{pid}/status").Contains("State:\tZ", StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false; // gone
            }
        });
    }

    [Fact]
    public async Task The_author_time_is_not_the_committer_time()
    {
        var repo = _box.Repository();
        _box.Run(repo, "commit", "-q", "--amend", "--no-edit", "--date=2001-01-01T00:00:00Z");
        Assert.Equal(2026, (await _box.FactsAsync(repo)).CommitTime!.Value.Year);
    }

    [Fact]
    public async Task A_detached_head_has_no_branch()
    {
        var repo = _box.Repository();
        _box.Run(repo, "checkout", "-q", "--detach");
        var facts = await _box.FactsAsync(repo);
        Assert.Equal((GitState.Ok, null), (facts.State, facts.Branch));
        Assert.Equal(["main"], facts.Branches);
    }

    [Fact]
    public async Task A_tag_with_the_branch_s_name_does_not_change_the_branch()
    {
        var repo = _box.Repository();
        _box.Run(repo, "tag", "main");
        Assert.Equal("main", (await _box.FactsAsync(repo)).Branch);
    }

    [Fact]
    public async Task Odd_branch_names_arrive_as_they_are()
    {
        var repo = _box.Repository();
        const string Name = "функция/日本語-é'\"$(x);&";
        _box.Run(repo, "checkout", "-q", "-b", Name);
        var facts = await _box.FactsAsync(repo);
        Assert.Equal(Name, facts.Branch);
        Assert.Equal(["main", Name], facts.Branches);
    }

    [Fact]
    public async Task Tags_at_head_are_annotated_lightweight_and_nested_ones()
    {
        var repo = _box.Repository();
        _box.Run(repo, "tag", "v0.9.0");
        _box.Commit(repo, "second");
        _box.Run(repo, "tag", "light");
        _box.Run(repo, "tag", "-a", "-m", "x", "v1.0.0");
        _box.Run(repo, "tag", "-a", "-m", "x", "nested", "v1.0.0");
        _box.Run(repo, "tag", "truxe-api/v2.0.0");
        Assert.Equal(["light", "nested", "truxe-api/v2.0.0", "v1.0.0"], (await _box.FactsAsync(repo)).TagsAtHead);
    }

    [Fact]
    public async Task The_nearest_tag_is_below_head_and_the_highest_of_its_commit()
    {
        var repo = _box.Repository();
        foreach (var tag in (string[])["v0.9.0", "v0.10.0", "v0.10.0-rc.1", "v01.0.0", "v9", "x2.0.0", "api/v7.0.0"])
        {
            _box.Run(repo, "tag", tag);
        }

        _box.Commit(repo, "second");
        _box.Commit(repo, "third");
        _box.Run(repo, "tag", "v0.11.0");

        var facts = await _box.FactsAsync(repo);
        Assert.Equal(("v0.10.0", 2), (facts.NearestVersionTag, facts.Height));

        var api = await _box.FactsAsync(repo, prefix: "api/v");
        Assert.Equal(("api/v7.0.0", 2), (api.NearestVersionTag, api.Height));

        var none = await _box.FactsAsync(repo, prefix: "web/v");
        Assert.Equal((null, 2), (none.NearestVersionTag, none.Height));
    }

    [Fact]
    public async Task Merging_a_short_branch_never_takes_height_back()
    {
        // v1 ─ a ─ b ─ c ─ M      the fix forks from v1: the shortest way would be 2, below c's 3
        //  └──── fix ─────┘
        var repo = _box.Repository();
        _box.Run(repo, "tag", "v1.0.0");
        _box.Run(repo, "branch", "fix");
        _box.Commit(repo, "a");
        _box.Commit(repo, "b");
        _box.Commit(repo, "c");
        Assert.Equal(3, (await _box.FactsAsync(repo)).Height);
        _box.Run(repo, "checkout", "-q", "fix");
        _box.Commit(repo, "f");
        _box.Run(repo, "checkout", "-q", "main");
        _box.Run(repo, "merge", "-q", "--no-ff", "-m", "M", "fix");

        var facts = await _box.FactsAsync(repo);
        Assert.Equal(("v1.0.0", 4), (facts.NearestVersionTag, facts.Height));
    }

    [Fact]
    public async Task The_higher_tag_wins_on_whichever_side_of_a_merge()
    {
        var repo = _box.Repository();
        _box.Run(repo, "checkout", "-q", "-b", "release");
        _box.Commit(repo, "r");
        _box.Run(repo, "tag", "v2.0.0");
        _box.Commit(repo, "r2");
        _box.Run(repo, "checkout", "-q", "main");
        _box.Commit(repo, "m");
        _box.Run(repo, "tag", "v1.0.0");
        _box.Run(repo, "merge", "-q", "--no-ff", "-m", "M", "release");

        var facts = await _box.FactsAsync(repo);
        Assert.Equal(("v2.0.0", 2), (facts.NearestVersionTag, facts.Height));
    }

    [Fact]
    public async Task A_changed_tracked_file_is_dirty_anywhere_in_the_work_tree()
    {
        var repo = _box.Repository();
        GitSandbox.Write(repo, "src/App/App.cs", "1");
        GitSandbox.Write(repo, "docs/lies mich ä.md", "1");
        _box.Commit(repo, "second");
        GitSandbox.Write(repo, "docs/lies mich ä.md", "2");

        Assert.Equal(["docs/lies mich ä.md"], (await _box.FactsAsync(Path.Combine(repo, "src", "App"))).DirtyFiles);
    }

    [Theory]
    [InlineData("add -A", "new.txt")] // staged
    [InlineData("rm -q --cached file-first.txt", "file-first.txt")] // removed from the index, still on disk
    [InlineData("mv file-first.txt moved.txt", "file-first.txt;moved.txt")]
    [InlineData("add -N new.txt", "new.txt")] // intent to add
    public async Task Staged_changes_are_dirty(string command, string files)
    {
        var repo = _box.Repository();
        if (files == "new.txt")
        {
            GitSandbox.Write(repo, "new.txt", "x");
        }

        _box.Run(repo, command.Split(' '));
        Assert.Equal(files.Split(';'), (await _box.FactsAsync(repo)).DirtyFiles);
    }

    [Fact]
    public async Task A_touched_but_unchanged_file_is_clean_and_the_index_is_left_alone()
    {
        var repo = _box.Repository();
        var index = Path.Combine(repo, ".git", "index");
        var before = File.ReadAllBytes(index);
        File.SetLastWriteTimeUtc(Path.Combine(repo, "file-first.txt"), new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc));

        Assert.Empty((await _box.FactsAsync(repo)).DirtyFiles);
        Assert.Equal(before, File.ReadAllBytes(index));
    }

    [Fact]
    public async Task Untracked_files_count_in_source_folders_only_and_not_in_output_folders()
    {
        var repo = _box.Repository();
        GitSandbox.Write(repo, "src/App/App.cs", "1");
        GitSandbox.Write(repo, ".gitignore", "*.user\n");
        _box.Commit(repo, "second");
        GitSandbox.Write(repo, "src/App/New é.cs", "1"); // counts
        GitSandbox.Write(repo, "src/App/App.csproj.user", "1"); // ignored
        GitSandbox.Write(repo, "src/App/bin/Debug/App.dll", "1"); // output, though no .gitignore says so
        GitSandbox.Write(repo, "src/App/obj/project.assets.json", "1");
        GitSandbox.Write(repo, "src/App/binary.cs", "1"); // begins like an output folder
        GitSandbox.Write(repo, "src/Lib/Lib.cs", "1"); // a project reference
        GitSandbox.Write(repo, "notes.txt", "1"); // outside
        var app = Path.Combine(repo, "src", "App");

        var facts = await _box.FactsAsync(
            app,
            sources: [app, Path.Combine(repo, "src", "Lib") + "/", Path.Combine(repo, "missing")],
            outputs: [Path.Combine(app, "bin") + "/", Path.Combine(app, "obj")]);

        Assert.Equal(["src/App/New é.cs", "src/App/binary.cs", "src/Lib/Lib.cs"], facts.DirtyFiles);
    }

    [Fact]
    public async Task At_most_ten_dirty_files_are_named_in_order()
    {
        var repo = _box.Repository();
        for (var i = 0; i < 12; i++)
        {
            GitSandbox.Write(repo, $"n{11 - i:00}.txt", "x");
        }

        Assert.Equal([.. Enumerable.Range(0, 10).Select(i => $"n{i:00}.txt")], (await _box.FactsAsync(repo)).DirtyFiles);
    }

    [Fact]
    public async Task A_project_reached_by_a_symbolic_link_is_read_as_where_it_lies()
    {
        var repo = _box.Repository();
        GitSandbox.Write(repo, "src/App/App.cs", "1");
        _box.Commit(repo, "second");
        GitSandbox.Write(repo, "src/App/bin/x.dll", "1");
        GitSandbox.Write(repo, "src/App/new.cs", "1");
        var link = Path.Combine(_box.Root, "link");
        Directory.CreateSymbolicLink(link, repo);
        var app = Path.Combine(link, "src", "App");

        Assert.Equal(["src/App/new.cs"], (await _box.FactsAsync(app, outputs: [Path.Combine(app, "bin")])).DirtyFiles);
    }

    [Fact]
    public async Task Submodules_have_their_own_facts_and_make_the_outer_tree_dirty()
    {
        var library = _box.Repository("library");
        _box.Run(library, "tag", "v3.0.0");
        var repo = _box.Repository();
        _box.Run(repo, "submodule", "--quiet", "add", library, "lib");
        _box.Run(repo, "commit", "-q", "-m", "submodule");
        var inner = Path.Combine(repo, "lib");

        var facts = await _box.FactsAsync(inner);
        Assert.Equal(_box.Run(library, "rev-parse", "HEAD"), facts.Commit);
        Assert.Equal((inner, "v3.0.0"), (facts.RootDirectory, facts.TagsAtHead.Single()));
        Assert.Empty((await _box.FactsAsync(repo)).DirtyFiles);

        // An untracked file in a submodule counts where a source folder says so, and is no change of a tracked file.
        GitSandbox.Write(inner, "new.cs", "x");
        Assert.Empty((await _box.FactsAsync(repo)).DirtyFiles);
        Assert.Equal(["lib/new.cs"], (await _box.FactsAsync(repo, sources: [inner])).DirtyFiles);
        File.Delete(Path.Combine(inner, "new.cs"));

        GitSandbox.Write(inner, "file-first.txt", "changed");
        Assert.Equal(["lib"], (await _box.FactsAsync(repo)).DirtyFiles);
        Assert.Equal(["file-first.txt"], (await _box.FactsAsync(inner)).DirtyFiles);

        _box.Commit(inner, "moved on");
        Assert.Equal(["lib"], (await _box.FactsAsync(repo)).DirtyFiles);
    }

    [Fact]
    public async Task A_shallow_clone_says_so_and_names_no_tag_it_cannot_know()
    {
        var origin = _box.Repository("origin");
        _box.Run(origin, "tag", "v0.5.6");
        _box.Commit(origin, "second");
        var head = _box.Commit(origin, "third");
        var clone = Path.Combine(_box.Root, "clone");
        _box.Run(_box.Root, "clone", "-q", "--depth", "1", "file://" + origin, clone);

        var facts = await _box.FactsAsync(clone);
        Assert.Equal((GitState.Ok, head, "main"), (facts.State, facts.Commit!, facts.Branch!));
        Assert.Equal((true, null, 0), (facts.IsShallow, facts.NearestVersionTag, facts.Height));
        Assert.Equal("file://" + origin, facts.RemoteUrl);

        // Deep enough to reach the tag on every path: the answer is the full clone's.
        _box.Run(clone, "fetch", "-q", "--depth", "3", "origin", "tag", "v0.5.6");
        _box.Run(clone, "fetch", "-q", "--depth", "3");
        var deep = await _box.FactsAsync(clone);
        Assert.Equal(("v0.5.6", 2), (deep.NearestVersionTag, deep.Height));
    }

    [Fact]
    public async Task A_shallow_clone_that_cuts_one_of_two_paths_names_no_tag()
    {
        // root ─ old ─ side ─┐       depth 3 sees v1.0.0 on the first parent's path, and the cut on the other
        //   └── v1.0.0 ── m ─ M
        var origin = _box.Repository("origin");
        _box.Run(origin, "checkout", "-q", "-b", "side");
        _box.Commit(origin, "older");
        _box.Run(origin, "tag", "v5.0.0");
        _box.Commit(origin, "old");
        _box.Commit(origin, "side");
        _box.Run(origin, "checkout", "-q", "main");
        _box.Commit(origin, "tagged");
        _box.Run(origin, "tag", "v1.0.0");
        _box.Run(origin, "merge", "-q", "--no-ff", "-m", "M", "side");
        Assert.Equal("v5.0.0", (await _box.FactsAsync(origin)).NearestVersionTag);
        var clone = Path.Combine(_box.Root, "clone");
        _box.Run(_box.Root, "clone", "-q", "--depth", "3", "file://" + origin, clone);
        Assert.Contains("v1.0.0", _box.Run(clone, "tag"));

        Assert.Null((await _box.FactsAsync(clone)).NearestVersionTag);
    }

    [Fact]
    public async Task A_clone_lists_remote_branches_without_the_remote_s_name()
    {
        var origin = _box.Repository("origin");
        _box.Run(origin, "branch", "release/1.x");
        var clone = Path.Combine(_box.Root, "clone");
        _box.Run(_box.Root, "clone", "-q", "file://" + origin, clone);
        _box.Run(clone, "remote", "add", "up/stream", "https://user:secret@example.invalid/o/r.git");
        _box.Run(clone, "update-ref", "refs/remotes/up/stream/their/branch", "HEAD");
        Assert.Contains("origin/HEAD", _box.Run(clone, "branch", "-r"));

        var facts = await _box.FactsAsync(clone);
        Assert.Equal(["main", "release/1.x", "their/branch"], facts.Branches);
        Assert.Equal("file://" + origin, facts.RemoteUrl);

        _box.Run(clone, "remote", "remove", "origin");
        Assert.Equal("https://user:secret@example.invalid/o/r.git", (await _box.FactsAsync(clone)).RemoteUrl);
    }

    [Fact]
    public async Task A_linked_worktree_has_its_own_branch_and_root()
    {
        var repo = _box.Repository();
        var tree = Path.Combine(_box.Root, "tree with space");
        _box.Run(repo, "worktree", "add", "-q", "-b", "topic", tree);
        var commit = _box.Commit(tree, "there");

        var facts = await _box.FactsAsync(tree);
        Assert.Equal((commit, "topic", tree), (facts.Commit!, facts.Branch!, facts.RootDirectory!));
    }

    [Fact]
    public async Task Git_s_own_variables_do_not_redirect_us()
    {
        var repo = _box.Repository();
        var other = _box.Repository("other");
        _box.Commit(other, "more");
        var hooked = _box.With(
            ("GIT_DIR", Path.Combine(other, ".git")), ("GIT_WORK_TREE", other), ("GIT_INDEX_FILE", Path.Combine(other, ".git", "index")), ("GIT_PREFIX", "x/"));

        var facts = await _box.FactsAsync(repo, git: hooked);
        Assert.Equal(_box.Run(repo, "rev-parse", "HEAD"), facts.Commit);
        Assert.Equal(repo, facts.RootDirectory);
        Assert.Empty(facts.DirtyFiles);
    }

    [Fact]
    public async Task States_without_an_answer()
    {
        var nowhere = Directory.CreateDirectory(Path.Combine(_box.Root, "nowhere")).FullName;
        Assert.Equal(GitState.NotARepository, (await _box.FactsAsync(nowhere)).State);

        var bare = Path.Combine(_box.Root, "bare.git");
        _box.Run(_box.Root, "init", "-q", "--bare", bare);
        Assert.Equal(GitState.NotARepository, (await _box.FactsAsync(bare)).State);

        var empty = Path.Combine(_box.Root, "empty");
        _box.Run(_box.Root, "init", "-q", empty);
        Assert.Equal((GitState.NoCommit, empty), ((await _box.FactsAsync(empty)).State, (await _box.FactsAsync(empty)).RootDirectory!));

        var broken = Path.Combine(_box.Root, "broken");
        GitSandbox.Write(broken, ".git", "gitdir: /does/not/exist\n");
        var facts = await _box.FactsAsync(broken);
        Assert.Equal(GitState.Failed, facts.State);
        Assert.Contains("/does/not/exist", facts.Error);

        var noGit = _box.With(("PATH", nowhere));
        Assert.Equal(GitState.NoGit, (await _box.FactsAsync(_box.Repository(), git: noGit)).State);
        Assert.Null(await noGit.RunAsync(nowhere, ["version"], CancellationToken.None));
    }

    [Fact]
    public async Task A_git_found_by_a_relative_path_is_not_run()
    {
        var repo = _box.Repository();
        var trap = Path.Combine(repo, "git");
        File.WriteAllText(trap, $"#!/bin/sh\ntouch '{repo}/trapped'\nexit 1\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(trap, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        var relative = _box.With(("PATH", $"{Path.GetRelativePath(Directory.GetCurrentDirectory(), repo)}::{_box.Environment["PATH"]}"));

        Assert.Equal(GitState.Ok, (await _box.FactsAsync(repo, git: relative)).State);
        Assert.False(File.Exists(Path.Combine(repo, "trapped")));
    }

    [SkippableAsRootFact]
    public async Task Dubious_ownership_has_its_own_state_and_the_command_that_mends_it_works()
    {
        var repo = _box.Repository("it is mine");
        using (var chown = Process.Start("chown", ["-R", "65534:65534", repo]))
        {
            await chown.WaitForExitAsync();
        }

        var facts = await _box.FactsAsync(repo);
        Assert.Equal((GitState.DubiousOwnership, repo), (facts.State, facts.RootDirectory!));

        var error = VersioningStage.Run(new VersioningInput(new BuildFacts(facts, null, null), null, [], VersioningStage.DefaultTagRules, "v")).Diagnostics.Single();
        Assert.Equal(DiagnosticCodes.DubiousOwnership, error.Descriptor);
        var command = error.Message[error.Message.IndexOf("git config", StringComparison.Ordinal)..];
        using (var shell = new Process { StartInfo = new ProcessStartInfo("sh", ["-c", command]) })
        {
            foreach (var (name, value) in _box.Environment)
            {
                shell.StartInfo.Environment[name] = value;
            }

            shell.Start();
            await shell.WaitForExitAsync();
            Assert.Equal(0, shell.ExitCode);
        }

        Assert.Equal(GitState.Ok, (await _box.FactsAsync(repo)).State);
    }

    [Fact]
    public async Task Safe_directory_given_by_environment_is_heard()
    {
        var repo = _box.Repository();
        var stranger = ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1"); // git's own switch for its tests
        Assert.Equal(GitState.DubiousOwnership, (await _box.FactsAsync(repo, git: _box.With(stranger))).State);

        var trusted = _box.With(stranger, ("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*"));
        Assert.Equal(GitState.Ok, (await _box.FactsAsync(repo, git: trusted)).State);
    }

    [Fact]
    public async Task A_sha256_repository_has_64_digits()
    {
        var repo = _box.Repository("sha256", "--object-format=sha256");
        _box.Run(repo, "tag", "-a", "-m", "x", "v1.0.0");
        var head = _box.Commit(repo, "second");

        var facts = await _box.FactsAsync(repo);
        Assert.Equal((64, head), (facts.Commit!.Length, facts.Commit));
        Assert.Equal(("v1.0.0", 1), (facts.NearestVersionTag, facts.Height));
        Assert.True(await new GitCommitHistory(_box.Git, repo, false).IsAncestorAsync(head, head, CancellationToken.None));
    }

    [Fact]
    public async Task User_configuration_does_not_change_what_we_read()
    {
        var repo = _box.Repository();
        _box.Commit(repo, "second");
        GitSandbox.Write(repo, "é.cs", "x");
        foreach (var (key, value) in (ReadOnlySpan<(string, string)>)
            [
                ("log.showSignature", "true"), ("status.showUntrackedFiles", "no"), ("core.quotePath", "true"), ("color.ui", "always"),
                ("status.branch", "true"), ("log.date", "relative"), ("core.pager", "false"), ("diff.ignoreSubmodules", "all"), ("core.fsmonitor", "false-hook"),
            ])
        {
            _box.Run(_box.Root, "config", "--global", key, value);
        }

        var facts = await _box.FactsAsync(repo);
        Assert.Equal((GitState.Ok, "main", 1), (facts.State, facts.Branch!, facts.Height));
        Assert.Equal(["é.cs"], facts.DirtyFiles);
    }

    [Fact]
    public async Task Ancestry_is_told_only_where_it_is_known()
    {
        var origin = _box.Repository("origin");
        var first = _box.Run(origin, "rev-parse", "HEAD");
        var second = _box.Commit(origin, "second");
        _box.Run(origin, "checkout", "-q", "-b", "other", first);
        var other = _box.Commit(origin, "other");
        var unknown = new string('1', 40);

        var history = new GitCommitHistory(_box.Git, origin, isShallow: false);
        Assert.True(await history.IsAncestorAsync(first, second, CancellationToken.None));
        Assert.True(await history.IsAncestorAsync(second, second, CancellationToken.None));
        Assert.False(await history.IsAncestorAsync(second, first, CancellationToken.None));
        Assert.False(await history.IsAncestorAsync(other, second, CancellationToken.None));
        Assert.Null(await history.IsAncestorAsync(unknown, second, CancellationToken.None));
        Assert.Null(await history.IsAncestorAsync("--help", second, CancellationToken.None));
        Assert.Null(await history.IsAncestorAsync("HEAD", second, CancellationToken.None));

        var clone = Path.Combine(_box.Root, "clone");
        _box.Run(_box.Root, "clone", "-q", "--depth", "1", "--no-single-branch", "file://" + origin, clone);
        var shallow = new GitCommitHistory(_box.Git, clone, isShallow: true);
        Assert.Null(await shallow.IsAncestorAsync(second, other, CancellationToken.None));
        Assert.True(await shallow.IsAncestorAsync(other, other, CancellationToken.None));

        var nowhere = new GitCommitHistory(_box.With(("PATH", "")), origin, isShallow: false);
        Assert.Null(await nowhere.IsAncestorAsync(first, second, CancellationToken.None));
    }

    [Fact]
    public async Task A_partial_clone_fetches_nothing()
    {
        var origin = _box.Repository("origin");
        _box.Run(origin, "config", "uploadpack.allowFilter", "true");
        _box.Run(origin, "config", "uploadpack.allowAnySHA1InWant", "true");
        var head = _box.Commit(origin, "second");
        var clone = Path.Combine(_box.Root, "clone");
        _box.Run(_box.Root, "clone", "-q", "--filter=blob:none", "file://" + origin, clone);
        _box.Run(origin, "checkout", "-q", "-b", "later");
        var later = _box.Commit(origin, "later");

        Assert.Null(await new GitCommitHistory(_box.Git, clone, isShallow: false).IsAncestorAsync(later, head, CancellationToken.None));
        Assert.Equal(GitState.Ok, (await _box.FactsAsync(clone)).State);
    }

    [Fact]
    public async Task Cancellation_stops_git()
    {
        var repo = _box.Repository();
        using var cancelled = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        var watch = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _box.Git.RunAsync(repo, ["-c", "alias.wait=!sleep 30", "wait"], cancelled.Token));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    [Fact]
    public async Task A_long_history_is_read_no_further_than_the_tag()
    {
        var repo = _box.Repository();
        var history = new System.Text.StringBuilder();
        for (var i = 1; i <= 50_000; i++)
        {
            history.Append($"commit refs/heads/long\nmark :{i}\ncommitter A <a@example.invalid> {1_700_000_000 + i} +0000\ndata 1\nx\n");
        }

        File.WriteAllText(Path.Combine(_box.Root, "history"), history.ToString());
        var start = new ProcessStartInfo("sh", ["-c", "git fast-import --quiet < ../history"]) { WorkingDirectory = repo };
        using (var import = Process.Start(start)!)
        {
            await import.WaitForExitAsync();
        }

        _box.Run(repo, "checkout", "-q", "-f", "long");
        Assert.Equal((null, 49_999), ((await _box.FactsAsync(repo)).NearestVersionTag, (await _box.FactsAsync(repo)).Height));

        _box.Run(repo, "tag", "v1.0.0", "HEAD~5");
        var counting = new CountingGit(_box.Git);
        var facts = await _box.FactsAsync(repo, git: counting);
        Assert.Equal(("v1.0.0", 5), (facts.NearestVersionTag, facts.Height));
        Assert.InRange(counting.Lines, 5, 10);
    }

    private sealed class CountingGit(IGit inner) : IGit
    {
        public int Lines { get; private set; }

        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
            => inner.RunAsync(workingDirectory, arguments, cancellationToken);

        public async IAsyncEnumerable<string> ReadLinesAsync(
            string workingDirectory, IReadOnlyList<string> arguments, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (var line in inner.ReadLinesAsync(workingDirectory, arguments, cancellationToken))
            {
                Lines++;
                yield return line;
            }
        }
    }
}

/// <summary>Needs <c>chown</c> to another user: skipped unless the tests run as root.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SkippableAsRootFactAttribute : FactAttribute
{
    public SkippableAsRootFactAttribute()
    {
        if (!string.Equals(Environment.UserName, "root", StringComparison.Ordinal))
        {
            Skip = "only root can give a repository to another user";
        }
    }
}
