using System.Collections.Immutable;
using System.IO.Compression;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Registry.Sdk.Core.Tests.Editions;

/// <summary>A source as a compiler would write it to the document table.</summary>
/// <param name="Name">Its path as it stands in the PDB.</param>
/// <param name="Content">What was compiled.</param>
/// <param name="IsEmbedded">Whether the text is in the PDB.</param>
internal sealed record FakeDocument(string Name, byte[] Content, bool IsEmbedded = false, string[]? Types = null);

/// <summary>Writes real assemblies with real portable PDBs, without a compiler and without a process.</summary>
internal sealed class FakeAssembly
{
    private static readonly Guid EmbeddedSource = new("0e8a571b-6926-466e-b4ad-8ab04611f5fe");
    private static readonly Guid TypeDefinitionDocuments = new("932e74bc-dba9-4478-8d46-0f32a7bab3d3");
    private static readonly Guid Sha256 = new("8829d00f-11b8-4213-878b-770e8597ac16");

    public required string Name { get; init; }

    public string Culture { get; init; } = "";

    public IReadOnlyList<FakeDocument> Documents { get; init; } = [];

    /// <summary>Types without documents, by full name.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    public IReadOnlyList<(string Name, byte[] Content)> Resources { get; init; } = [];

    public IReadOnlyList<string> Friends { get; init; } = [];

    public bool HasPdb { get; init; } = true;

    public bool IsPdbEmbedded { get; init; }

    /// <summary>Writes the assembly, and its PDB beside it.</summary>
    public byte[] Write(string path)
    {
        var metadata = new MetadataBuilder();
        // Like a deterministic compiler: the same input, the same MVID.
        var seed = string.Join('\n', Documents.Select(d => d.Name + Convert.ToHexString(SHA256.HashData(d.Content)))) + Name + Culture + string.Join(',', Types) + string.Join(',', Friends) + string.Join(',', Resources.Select(r => r.Name + Convert.ToHexString(r.Content)));
        var mvid = new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(seed)).AsSpan(0, 16));
        metadata.AddModule(0, metadata.GetOrAddString(Name + ".dll"), metadata.GetOrAddGuid(mvid), default, default);
        var assembly = metadata.AddAssembly(metadata.GetOrAddString(Name), new(1, 0, 0, 0), metadata.GetOrAddString(Culture), default, default, AssemblyHashAlgorithm.Sha1);
        var runtime = metadata.AddAssemblyReference(metadata.GetOrAddString("System.Runtime"), new(10, 0, 0, 0), default, default, default, default);
        var systemObject = metadata.AddTypeReference(runtime, metadata.GetOrAddString("System"), metadata.GetOrAddString("Object"));
        metadata.AddTypeDefinition(default, default, metadata.GetOrAddString("<Module>"), default, MetadataTokens.FieldDefinitionHandle(1), MetadataTokens.MethodDefinitionHandle(1));
        var rows = new Dictionary<string, TypeDefinitionHandle>();
        foreach (var type in Types.Concat(Documents.SelectMany(d => d.Types ?? [])).Distinct())
        {
            var dot = type.LastIndexOf('.');
            rows[type] = metadata.AddTypeDefinition(TypeAttributes.Public, metadata.GetOrAddString(dot < 0 ? "" : type[..dot]), metadata.GetOrAddString(type[(dot + 1)..]), systemObject, MetadataTokens.FieldDefinitionHandle(1), MetadataTokens.MethodDefinitionHandle(1));
        }

        var resources = new BlobBuilder();
        foreach (var (name, content) in Resources)
        {
            metadata.AddManifestResource(ManifestResourceAttributes.Public, metadata.GetOrAddString(name), default, (uint)resources.Count);
            resources.WriteInt32(content.Length);
            resources.WriteBytes(content);
            resources.Align(8);
        }

        if (Friends.Count > 0)
        {
            var attribute = metadata.AddTypeReference(runtime, metadata.GetOrAddString("System.Runtime.CompilerServices"), metadata.GetOrAddString("InternalsVisibleToAttribute"));
            var signature = new BlobBuilder();
            new BlobEncoder(signature).MethodSignature(isInstanceMethod: true).Parameters(1, r => r.Void(), p => p.AddParameter().Type().String());
            var constructor = metadata.AddMemberReference(attribute, metadata.GetOrAddString(".ctor"), metadata.GetOrAddBlob(signature));
            foreach (var friend in Friends)
            {
                var value = new BlobBuilder();
                value.WriteUInt16(1);
                value.WriteSerializedString(friend);
                value.WriteUInt16(0);
                metadata.AddCustomAttribute(assembly, constructor, metadata.GetOrAddBlob(value));
            }
        }

        var debug = new DebugDirectoryBuilder();
        if (HasPdb)
        {
            var pdb = new PortablePdbBuilder(Pdb(rows), metadata.GetRowCounts(), default, _ => new BlobContentId(mvid, 0x04030201));
            var blob = new BlobBuilder();
            var id = pdb.Serialize(blob);
            debug.AddCodeViewEntry(Path.GetFileNameWithoutExtension(path) + ".pdb", id, pdb.FormatVersion);
            if (IsPdbEmbedded)
            {
                debug.AddEmbeddedPortablePdbEntry(blob, pdb.FormatVersion);
            }
            else
            {
                File.WriteAllBytes(Path.ChangeExtension(path, ".pdb"), blob.ToArray());
            }
        }

        var image = new BlobBuilder();
        new ManagedPEBuilder(
            new PEHeaderBuilder(imageCharacteristics: Characteristics.Dll | Characteristics.ExecutableImage), new MetadataRootBuilder(metadata), new BlobBuilder(),
            managedResources: resources.Count > 0 ? resources : null, debugDirectoryBuilder: HasPdb ? debug : null, deterministicIdProvider: _ => new BlobContentId(mvid, 0x04030201)).Serialize(image);
        var bytes = image.ToArray();
        File.WriteAllBytes(path, bytes);
        return bytes;
    }

    /// <summary>As the compiler does: what is long is compressed, behind its size.</summary>
    private static byte[] Source(byte[] content)
    {
        if (content.Length < 200)
        {
            return [.. new byte[4], .. content];
        }

        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal))
        {
            deflate.Write(content);
        }

        return [.. BitConverter.GetBytes(content.Length), .. packed.ToArray()];
    }

    private MetadataBuilder Pdb(Dictionary<string, TypeDefinitionHandle> rows)
    {
        var pdb = new MetadataBuilder();
        var ofType = new SortedDictionary<int, List<int>>();
        var embedded = new List<(DocumentHandle Document, byte[] Content)>();
        foreach (var document in Documents)
        {
            var handle = pdb.AddDocument(pdb.GetOrAddDocumentName(document.Name), pdb.GetOrAddGuid(Sha256), pdb.GetOrAddBlob(SHA256.HashData(document.Content)), default);
            foreach (var type in document.Types ?? [])
            {
                var row = MetadataTokens.GetRowNumber(rows[type]);
                ofType[row] = [.. ofType.GetValueOrDefault(row) ?? [], MetadataTokens.GetRowNumber(handle)];
            }

            if (document.IsEmbedded)
            {
                embedded.Add((handle, document.Content));
            }
        }

        foreach (var (row, documents) in ofType)
        {
            var blob = new BlobBuilder();
            documents.ForEach(blob.WriteCompressedInteger);
            pdb.AddCustomDebugInformation(MetadataTokens.TypeDefinitionHandle(row), pdb.GetOrAddGuid(TypeDefinitionDocuments), pdb.GetOrAddBlob(blob));
        }

        foreach (var (document, content) in embedded)
        {
            pdb.AddCustomDebugInformation(document, pdb.GetOrAddGuid(EmbeddedSource), pdb.GetOrAddBlob(Source(content)));
        }

        return pdb;
    }
}
