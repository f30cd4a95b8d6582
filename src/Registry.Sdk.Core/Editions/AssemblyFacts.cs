using System.Collections.Immutable;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>One row of a portable PDB's document table: a source file the compiler read.</summary>
/// <param name="Name">Its path as the compiler wrote it; <c>/_/…</c> where paths are mapped.</param>
/// <param name="Algorithm">The GUID of the hash.</param>
/// <param name="Hash">Lower-case hex of the hash of the file's bytes; empty if the compiler knew none (<c>#line</c>).</param>
/// <param name="Text">The embedded source, if there is one of reasonable size.</param>
internal sealed record SourceDocument(string Name, Guid Algorithm, string Hash, byte[]? Text)
{
    /// <summary>SHA-256, as the portable PDB specification numbers it.</summary>
    public static readonly Guid Sha256 = new("8829d00f-11b8-4213-878b-770e8597ac16");

    /// <summary>SHA-1, what compilers wrote before.</summary>
    public static readonly Guid Sha1 = new("ff1816ec-aa5e-4d10-87f7-6f4963833460");
}

/// <summary>What a portable PDB says. Source: dotnet/runtime, docs/design/specs/PortablePdb-Metadata.md.</summary>
/// <param name="Documents">The whole table: a source without code (interfaces, constants) is in it too, and in nothing else.</param>
/// <param name="TypeDocuments">Documents by type definition (row number): from methods, and for types without any from the compiler's list.</param>
/// <param name="SourceFileCount">How many sources the compiler says it read; null if it does not say.</param>
internal sealed record PdbFacts(IReadOnlyList<SourceDocument> Documents, IReadOnlyDictionary<int, IReadOnlySet<int>> TypeDocuments, int? SourceFileCount);

/// <summary>One manifest resource that lies in the assembly itself.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Digest">SHA-256 of its bytes.</param>
internal sealed record EmbeddedFile(string Name, int Size, Digest Digest);

/// <summary>What a managed assembly says about itself.</summary>
internal sealed record AssemblyFacts
{
    /// <summary>Sources that are embedded are read up to this size; beyond it nobody wrote them.</summary>
    private const int MaxEmbeddedSource = 16 * 1024 * 1024;

    private static readonly Guid EmbeddedSource = new("0e8a571b-6926-466e-b4ad-8ab04611f5fe");
    private static readonly Guid TypeDefinitionDocuments = new("932e74bc-dba9-4478-8d46-0f32a7bab3d3");
    private static readonly Guid CompilationOptions = new("b5feec05-8cd0-4a83-96da-466284bb4bd8");

    /// <summary>Simple name; empty for a module without an assembly.</summary>
    public required string Name { get; init; }

    /// <summary>Culture of a satellite; else empty.</summary>
    public required string Culture { get; init; }

    /// <summary>Module version id: one per compilation, and a function of the input where builds are deterministic.</summary>
    public required Guid Mvid { get; init; }

    /// <summary>Type definitions by row number, with their full names (nested ones joined with <c>+</c>).</summary>
    public required IReadOnlyDictionary<int, string> Types { get; init; }

    /// <summary>Resources in the assembly itself.</summary>
    public required IReadOnlyList<EmbeddedFile> Resources { get; init; }

    /// <summary>Simple names of the assemblies it was compiled against and uses.</summary>
    public required IReadOnlyList<string> References { get; init; }

    /// <summary>Simple names in <c>InternalsVisibleTo</c>.</summary>
    public required IReadOnlyList<string> Friends { get; init; }

    /// <summary>Names and values in <c>AssemblyMetadata</c>.</summary>
    public required IReadOnlyList<string> Metadata { get; init; }

    /// <summary>Its PDB; null if there is none that belongs to it.</summary>
    public PdbFacts? Pdb { get; init; }

    /// <summary>Whether a PDB of the right name lies where it is looked for and is another build's.</summary>
    public bool HasForeignPdb { get; init; }

    /// <summary>Reads an assembly; null if the file is no managed one (native, damaged, no PE file at all).</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="pdbFolders">Where a PDB may lie besides the assembly's own folder.</param>
    /// <exception cref="IOException">The file can't be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static AssemblyFacts? Read(string path, IEnumerable<string> pdbFolders)
    {
        // PEReader takes what does not begin with MZ for an object file, and no file beyond 2 GB.
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (stream.Length is < 64 or > int.MaxValue || stream.ReadByte() != 'M' || stream.ReadByte() != 'Z')
        {
            return null;
        }

        stream.Position = 0;
        try
        {
            using var pe = new PEReader(stream, PEStreamOptions.PrefetchEntireImage);
            return pe.HasMetadata ? Read(pe, [Path.GetDirectoryName(path)!, .. pdbFolders]) : null;
        }
        catch (Exception e) when (IsDamage(e))
        {
            return null;
        }
    }

    /// <summary>Reads a portable PDB that is a file of its own; null if it is none (a Windows PDB, or damaged).</summary>
    /// <exception cref="IOException">The file can't be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static PdbFacts? ReadPdb(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (stream.Length is < 64 or > int.MaxValue)
        {
            return null;
        }

        try
        {
            using var provider = MetadataReaderProvider.FromPortablePdbStream(stream, MetadataStreamOptions.PrefetchMetadata);
            return ReadPdb(provider.GetMetadataReader());
        }
        catch (Exception e) when (IsDamage(e))
        {
            return null;
        }
    }

    /// <summary>The sources in a portable PDB, or in the one that an assembly holds; none if there are none, or it is neither.</summary>
    /// <param name="content">The whole file, from its beginning.</param>
    public static IReadOnlyList<SourceDocument> EmbeddedSources(Stream content)
    {
        try
        {
            if (content.ReadByte() == 'B')
            {
                content.Position = 0;
                using var alone = MetadataReaderProvider.FromPortablePdbStream(content, MetadataStreamOptions.LeaveOpen);
                return Sources(alone);
            }

            content.Position = 0;
            using var pe = new PEReader(content, PEStreamOptions.LeaveOpen);
            foreach (var embedded in pe.ReadDebugDirectory().Where(e => e.Type == DebugDirectoryEntryType.EmbeddedPortablePdb))
            {
                using var provider = pe.ReadEmbeddedPortablePdbDebugDirectoryData(embedded);
                return Sources(provider);
            }
        }
        catch (Exception e) when (IsDamage(e))
        {
            // No .NET assembly, or none that a debugger could read.
        }

        return [];

        static IReadOnlyList<SourceDocument> Sources(MetadataReaderProvider provider) => [.. ReadPdb(provider.GetMetadataReader()).Documents.Where(d => d.Text is not null)];
    }

    /// <summary>Whether a type is what somebody wrote, and not what compilers put into every assembly that needs it.</summary>
    public static bool IsWritten(string type)
        => !type.Contains('<', StringComparison.Ordinal) && type != "Program"
            && !type.StartsWith("Microsoft.CodeAnalysis.", StringComparison.Ordinal) && !type.StartsWith("System.Runtime.CompilerServices.", StringComparison.Ordinal);

    /// <summary>What System.Reflection.Metadata throws for metadata that is not what the specification says. All of it is a statement about the file.</summary>
    private static bool IsDamage(Exception e)
        => e is BadImageFormatException or InvalidOperationException or ArgumentException or OverflowException or InvalidCastException or IndexOutOfRangeException or NotSupportedException or InvalidDataException;

    private static AssemblyFacts? Read(PEReader pe, IReadOnlyList<string> folders)
    {
        var reader = pe.GetMetadataReader();
        var (name, culture) = (string.Empty, string.Empty);
        if (reader.IsAssembly)
        {
            var definition = reader.GetAssemblyDefinition();
            (name, culture) = (reader.GetString(definition.Name), definition.Culture.IsNil ? string.Empty : reader.GetString(definition.Culture));
        }

        var (pdb, foreign) = FindPdb(pe, folders);
        return new()
        {
            Name = name,
            Culture = culture,
            Mvid = reader.GetGuid(reader.GetModuleDefinition().Mvid),
            Types = ReadTypes(reader),
            Resources = ReadResources(pe, reader),
            References = [.. reader.AssemblyReferences.Select(h => reader.GetString(reader.GetAssemblyReference(h).Name))],
            Friends = [.. Attributes(reader, "System.Runtime.CompilerServices", "InternalsVisibleToAttribute", 1).Select(a => a[0].Split(',')[0].Trim())],
            Metadata = [.. Attributes(reader, "System.Reflection", "AssemblyMetadataAttribute", 2).SelectMany(a => a)],
            Pdb = pdb is null ? null : WithMethods(reader, pdb.Value.Reader, pdb.Value.Facts),
            HasForeignPdb = foreign,
        };
    }

    private static Dictionary<int, string> ReadTypes(MetadataReader reader)
    {
        const int MaxName = 4096;
        var found = new Dictionary<int, string>();
        foreach (var handle in reader.TypeDefinitions)
        {
            // The specification wants the outer type first, so its name is here; one that a damaged file puts behind, or into itself, is none.
            // Nor does a compiler nest so deep that the names of ten thousand types fill the memory.
            var type = reader.GetTypeDefinition(handle);
            var name = reader.GetString(type.Name);
            var outer = type.GetDeclaringType();
            found[MetadataTokens.GetRowNumber(handle)] = !outer.IsNil && found.TryGetValue(MetadataTokens.GetRowNumber(outer), out var around)
                ? $"{(around.Length < MaxName ? around : around[..MaxName])}+{name}"
                : type.Namespace.IsNil ? name : $"{reader.GetString(type.Namespace)}.{name}";
        }

        return found;
    }

    private static List<EmbeddedFile> ReadResources(PEReader pe, MetadataReader reader)
    {
        var found = new List<EmbeddedFile>();
        var directory = pe.PEHeaders.CorHeader!.ResourcesDirectory;
        if (directory.Size == 0)
        {
            return found;
        }

        var section = pe.GetSectionData(directory.RelativeVirtualAddress);
        foreach (var resource in reader.ManifestResources.Select(reader.GetManifestResource).Where(r => r.Implementation.IsNil))
        {
            // A four-byte length stands before the bytes (ECMA-335, II.24.2.4).
            var content = section.GetReader();
            if (resource.Offset < 0 || resource.Offset > content.Length - sizeof(int))
            {
                continue;
            }

            content.Offset = (int)resource.Offset;
            var size = content.ReadInt32();
            if (size >= 0 && size <= content.RemainingBytes)
            {
                found.Add(new(reader.GetString(resource.Name), size, Digest.Of(content.ReadBytes(size))));
            }
        }

        return found;
    }

    /// <summary>Attributes of the assembly of that name, where their arguments are that many strings.</summary>
    private static IEnumerable<string[]> Attributes(MetadataReader reader, string ns, string name, int arguments)
    {
        if (!reader.IsAssembly)
        {
            yield break;
        }

        foreach (var attribute in reader.GetAssemblyDefinition().GetCustomAttributes().Select(reader.GetCustomAttribute))
        {
            if (attribute.Constructor.Kind != HandleKind.MemberReference || reader.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent is not { Kind: HandleKind.TypeReference } parent)
            {
                continue;
            }

            var type = reader.GetTypeReference((TypeReferenceHandle)parent);
            if (!reader.StringComparer.Equals(type.Name, name) || !reader.StringComparer.Equals(type.Namespace, ns))
            {
                continue;
            }

            var value = reader.GetBlobReader(attribute.Value);
            if (value.RemainingBytes >= 2 && value.ReadUInt16() == 1)
            {
                var texts = new string[arguments];
                for (var i = 0; i < arguments; i++)
                {
                    texts[i] = value.ReadSerializedString() ?? string.Empty;
                }

                yield return texts;
            }
        }
    }

    private static ((PdbFacts Facts, PdbMethods Reader)? Pdb, bool Foreign) FindPdb(PEReader pe, IReadOnlyList<string> folders)
    {
        var entries = pe.ReadDebugDirectory();
        var foreign = false;
        foreach (var codeView in entries.Where(e => e.Type == DebugDirectoryEntryType.CodeView && e.IsPortableCodeView))
        {
            var data = pe.ReadCodeViewDebugDirectoryData(codeView);
            var id = new BlobContentId(data.Guid, codeView.Stamp);

            // The path was written by another machine, with its separators.
            var fileName = data.Path[(data.Path.LastIndexOfAny(['/', '\\']) + 1)..];
            foreach (var path in folders.Distinct(StringComparer.Ordinal).Select(f => Path.Combine(f, fileName)).Where(p => fileName.Length > 0 && File.Exists(p)))
            {
                using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
                try
                {
                    using var provider = MetadataReaderProvider.FromPortablePdbStream(stream, MetadataStreamOptions.PrefetchMetadata);
                    var reader = provider.GetMetadataReader();
                    if (reader.DebugMetadataHeader is { } header && new BlobContentId(header.Id) == id)
                    {
                        return ((ReadPdb(reader), PdbMethods.Of(reader)), false);
                    }

                    foreign = true;
                }
                catch (Exception e) when (IsDamage(e))
                {
                    foreign = true;
                }
            }
        }

        foreach (var embedded in entries.Where(e => e.Type == DebugDirectoryEntryType.EmbeddedPortablePdb))
        {
            using var provider = pe.ReadEmbeddedPortablePdbDebugDirectoryData(embedded);
            var reader = provider.GetMetadataReader();
            return ((ReadPdb(reader), PdbMethods.Of(reader)), false);
        }

        return (null, foreign);
    }

    private static PdbFacts ReadPdb(MetadataReader reader)
    {
        var sources = new Dictionary<int, byte[]?>();
        var types = new Dictionary<int, HashSet<int>>();
        int? count = null;
        foreach (var information in reader.CustomDebugInformation.Select(reader.GetCustomDebugInformation))
        {
            var kind = reader.GetGuid(information.Kind);
            if (kind == EmbeddedSource && information.Parent.Kind == HandleKind.Document)
            {
                sources[MetadataTokens.GetRowNumber((DocumentHandle)information.Parent)] = Source(reader.GetBlobReader(information.Value));
            }
            else if (kind == TypeDefinitionDocuments && information.Parent.Kind == HandleKind.TypeDefinition)
            {
                var blob = reader.GetBlobReader(information.Value);
                while (blob.RemainingBytes > 0)
                {
                    Add(types, MetadataTokens.GetRowNumber((TypeDefinitionHandle)information.Parent), blob.ReadCompressedInteger());
                }
            }
            else if (kind == CompilationOptions && information.Parent.Kind == HandleKind.ModuleDefinition)
            {
                count = SourceFileCount(reader.GetBlobReader(information.Value));
            }
        }

        var documents = new List<SourceDocument>(reader.Documents.Count);
        foreach (var handle in reader.Documents)
        {
            var document = reader.GetDocument(handle);
            documents.Add(new(
                reader.GetString(document.Name),
                document.HashAlgorithm.IsNil ? Guid.Empty : reader.GetGuid(document.HashAlgorithm),
                document.Hash.IsNil ? string.Empty : Convert.ToHexStringLower(reader.GetBlobBytes(document.Hash)),
                sources.GetValueOrDefault(MetadataTokens.GetRowNumber(handle))));
        }

        return new(documents, types.ToDictionary(t => t.Key, t => (IReadOnlySet<int>)t.Value), count);
    }

    private static byte[]? Source(BlobReader blob)
    {
        // A format number: 0 means as it is, any other the size of what follows compressed with deflate.
        if (blob.RemainingBytes < sizeof(int))
        {
            return null;
        }

        var size = blob.ReadInt32();
        if (size == 0)
        {
            return blob.RemainingBytes <= MaxEmbeddedSource ? blob.ReadBytes(blob.RemainingBytes) : null;
        }

        if (size is < 0 or > MaxEmbeddedSource)
        {
            return null;
        }

        var text = new byte[size];
        using var deflate = new System.IO.Compression.DeflateStream(new MemoryStream(blob.ReadBytes(blob.RemainingBytes)), System.IO.Compression.CompressionMode.Decompress);
        return deflate.ReadAtLeast(text, size, throwOnEndOfStream: false) == size ? text : null;
    }

    private static int? SourceFileCount(BlobReader blob)
    {
        // Names and values in turn, each ended by a zero byte.
        var words = System.Text.Encoding.UTF8.GetString(blob.ReadBytes(blob.RemainingBytes)).Split('\0');
        for (var i = 0; i + 1 < words.Length; i += 2)
        {
            if (words[i] == "source-file-count")
            {
                return int.TryParse(words[i + 1], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var count) ? count : null;
            }
        }

        return null;
    }

    private static PdbFacts WithMethods(MetadataReader reader, PdbMethods methods, PdbFacts pdb)
    {
        var types = pdb.TypeDocuments.ToDictionary(t => t.Key, t => new HashSet<int>(t.Value));
        foreach (var (method, documents) in methods.Documents.Where(m => m.Key <= reader.MethodDefinitions.Count))
        {
            var type = MetadataTokens.GetRowNumber(reader.GetMethodDefinition(MetadataTokens.MethodDefinitionHandle(method)).GetDeclaringType());
            foreach (var document in documents)
            {
                Add(types, type, document);
            }
        }

        return pdb with { TypeDocuments = types.ToDictionary(t => t.Key, t => (IReadOnlySet<int>)t.Value) };
    }

    private static void Add(Dictionary<int, HashSet<int>> types, int type, int document)
    {
        if (!types.TryGetValue(type, out var documents))
        {
            types[type] = documents = [];
        }

        documents.Add(document);
    }

    /// <summary>Documents (row numbers) by method (row number).</summary>
    private sealed record PdbMethods(IReadOnlyDictionary<int, IReadOnlySet<int>> Documents)
    {
        public static PdbMethods Of(MetadataReader reader)
        {
            var found = new Dictionary<int, IReadOnlySet<int>>();
            foreach (var handle in reader.MethodDebugInformation)
            {
                var information = reader.GetMethodDebugInformation(handle);
                if (!information.Document.IsNil)
                {
                    found[MetadataTokens.GetRowNumber(handle)] = ImmutableHashSet.Create(MetadataTokens.GetRowNumber(information.Document));
                }
                else if (!information.SequencePointsBlob.IsNil)
                {
                    // Partial types, initialisers: several documents in one method.
                    found[MetadataTokens.GetRowNumber(handle)] = information.GetSequencePoints().Select(p => MetadataTokens.GetRowNumber(p.Document)).ToHashSet();
                }
            }

            return new(found);
        }
    }
}
