using Registry.Sdk.Bench;

// Measures by hand what the layer engine costs; docs/benchmarks.md keeps the results. `compose`, `upload` and `publish` with a folder are what the others start, so that a measurement
// is of a whole process, its start included.
return args switch
{
    ["compose", var folder, var blobs] => await Compose.RunAsync(folder, blobs, cache: null),
    ["compose", var folder, var blobs, var cache] => await Compose.RunAsync(folder, blobs, cache),
    ["speed"] => await Speed.RunAsync(folder: null),
    ["speed", var folder] => await Speed.RunAsync(folder),
    ["levels"] => await Levels.RunAsync(folder: null),
    ["levels", var folder] => await Levels.RunAsync(folder),
    ["secrets", .. { Length: > 0 } folders] => Secrets.Run(folders),
    ["transfer"] => await Transfer.RunAsync(),
    ["upload", var address, var size] => await Transfer.UploadAsync(address, long.Parse(size, System.Globalization.CultureInfo.InvariantCulture)),
    ["memory"] => await Memory.RunAsync(),
    ["publish"] => await Publish.RunAsync(),
    ["publish", var folder, var address, var work, var cache] => await Publish.OneAsync(folder, address, work, cache),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("bench speed [FOLDER] | bench levels [FOLDER] | soak memory (bench memory, then bench publish) | bench transfer | bench secrets FOLDER…");
    return 2;
}
