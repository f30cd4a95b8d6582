using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Registry.Sdk.Core.Tests.Architecture;

/// <summary>One use of a type of the assembly by another: in a signature, or in a method's body.</summary>
internal sealed record Reference(string FromNamespace, string FromMember, string ToNamespace, string ToType);

/// <summary>Reads from an assembly's metadata and IL which of its own types its members use.</summary>
internal sealed class References : ISignatureTypeProvider<object?, object?>
{
    private static readonly Dictionary<int, OpCode> OpCodesByValue = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(f => (OpCode)f.GetValue(null)!).ToDictionary(o => (int)(ushort)o.Value);

    private readonly MetadataReader _reader;
    private readonly PEReader _image;
    private readonly HashSet<TypeDefinitionHandle> _used = [];

    private References(PEReader image)
    {
        _image = image;
        _reader = image.GetMetadataReader();
    }

    public static IReadOnlyList<Reference> Of(string assembly)
    {
        using var image = new PEReader(File.OpenRead(assembly));
        return new References(image).All();
    }

    private List<Reference> All()
    {
        var result = new List<Reference>();
        foreach (var handle in _reader.TypeDefinitions)
        {
            var type = _reader.GetTypeDefinition(handle);
            Take(type.BaseType);
            foreach (var implemented in type.GetInterfaceImplementations())
            {
                Take(_reader.GetInterfaceImplementation(implemented).Interface);
            }

            Constraints(type.GetGenericParameters());
            Attributes(type.GetCustomAttributes());
            Add(handle, "");
            foreach (var field in type.GetFields().Select(_reader.GetFieldDefinition))
            {
                field.DecodeSignature(this, null);
                Attributes(field.GetCustomAttributes());
                Add(handle, _reader.GetString(field.Name));
            }

            foreach (var method in type.GetMethods().Select(_reader.GetMethodDefinition))
            {
                method.DecodeSignature(this, null);
                Constraints(method.GetGenericParameters());
                Attributes(method.GetCustomAttributes());
                if (method.RelativeVirtualAddress != 0)
                {
                    Body(_image.GetMethodBody(method.RelativeVirtualAddress));
                }

                Add(handle, _reader.GetString(method.Name));
            }
        }

        return result;

        void Add(TypeDefinitionHandle from, string member)
        {
            result.AddRange(_used.Select(to => new Reference(Namespace(from), $"{Name(from)}.{member}".TrimEnd('.'), Namespace(to), Name(to))));
            _used.Clear();
        }
    }

    private void Constraints(GenericParameterHandleCollection parameters)
    {
        foreach (var constraint in parameters.SelectMany(p => _reader.GetGenericParameter(p).GetConstraints()))
        {
            Take(_reader.GetGenericParameterConstraint(constraint).Type);
        }
    }

    private void Attributes(CustomAttributeHandleCollection attributes)
    {
        foreach (var attribute in attributes)
        {
            Take(_reader.GetCustomAttribute(attribute).Constructor);
        }
    }

    private void Body(MethodBodyBlock body)
    {
        if (!body.LocalSignature.IsNil)
        {
            _reader.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(this, null);
        }

        foreach (var region in body.ExceptionRegions.Where(r => r.Kind == ExceptionRegionKind.Catch))
        {
            Take(region.CatchType);
        }

        var il = body.GetILReader();
        while (il.RemainingBytes > 0)
        {
            int value = il.ReadByte();
            var code = OpCodesByValue[value == 0xFE ? 0xFE00 | il.ReadByte() : value];
            switch (code.OperandType)
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    Take(MetadataTokens.EntityHandle(il.ReadInt32()));
                    break;
                case OperandType.InlineSwitch:
                    var targets = il.ReadInt32();
                    il.Offset += targets * 4;
                    break;
                default:
                    il.Offset += code.OperandType switch
                    {
                        OperandType.InlineNone => 0,
                        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                        OperandType.InlineVar => 2,
                        OperandType.InlineI8 or OperandType.InlineR => 8,
                        _ => 4,
                    };
                    break;
            }
        }
    }

    private void Take(EntityHandle handle)
    {
        if (handle.IsNil)
        {
            return;
        }

        switch (handle.Kind)
        {
            case HandleKind.TypeDefinition:
                _used.Add((TypeDefinitionHandle)handle);
                break;
            case HandleKind.TypeSpecification:
                _reader.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(this, null);
                break;
            case HandleKind.MethodDefinition:
                var method = _reader.GetMethodDefinition((MethodDefinitionHandle)handle);
                _used.Add(method.GetDeclaringType());
                method.DecodeSignature(this, null);
                break;
            case HandleKind.FieldDefinition:
                var field = _reader.GetFieldDefinition((FieldDefinitionHandle)handle);
                _used.Add(field.GetDeclaringType());
                field.DecodeSignature(this, null);
                break;
            case HandleKind.MemberReference:
                var member = _reader.GetMemberReference((MemberReferenceHandle)handle);
                Take(member.Parent);
                if (member.GetKind() == MemberReferenceKind.Field)
                {
                    member.DecodeFieldSignature(this, null);
                }
                else
                {
                    member.DecodeMethodSignature(this, null);
                }

                break;
            case HandleKind.MethodSpecification:
                var specification = _reader.GetMethodSpecification((MethodSpecificationHandle)handle);
                Take(specification.Method);
                specification.DecodeSignature(this, null);
                break;
        }
    }

    private TypeDefinitionHandle Outermost(TypeDefinitionHandle handle)
    {
        for (var outer = _reader.GetTypeDefinition(handle).GetDeclaringType(); !outer.IsNil; outer = _reader.GetTypeDefinition(outer).GetDeclaringType())
        {
            handle = outer;
        }

        return handle;
    }

    private string Namespace(TypeDefinitionHandle handle) => _reader.GetString(_reader.GetTypeDefinition(Outermost(handle)).Namespace);

    private string Name(TypeDefinitionHandle handle)
    {
        var type = _reader.GetTypeDefinition(handle);
        var name = _reader.GetString(type.Name);
        return type.GetDeclaringType() is { IsNil: false } outer ? $"{Name(outer)}.{name}" : name;
    }

    object? ISimpleTypeProvider<object?>.GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
    {
        _used.Add(handle);
        return null;
    }

    object? ISignatureTypeProvider<object?, object?>.GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind)
        => reader.GetTypeSpecification(handle).DecodeSignature(this, null);

    object? ISimpleTypeProvider<object?>.GetPrimitiveType(PrimitiveTypeCode typeCode) => null;

    object? ISimpleTypeProvider<object?>.GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => null;

    object? IConstructedTypeProvider<object?>.GetArrayType(object? elementType, ArrayShape shape) => null;

    object? IConstructedTypeProvider<object?>.GetByReferenceType(object? elementType) => null;

    object? IConstructedTypeProvider<object?>.GetGenericInstantiation(object? genericType, ImmutableArray<object?> typeArguments) => null;

    object? IConstructedTypeProvider<object?>.GetPointerType(object? elementType) => null;

    object? ISZArrayTypeProvider<object?>.GetSZArrayType(object? elementType) => null;

    object? ISignatureTypeProvider<object?, object?>.GetFunctionPointerType(MethodSignature<object?> signature) => null;

    object? ISignatureTypeProvider<object?, object?>.GetGenericMethodParameter(object? genericContext, int index) => null;

    object? ISignatureTypeProvider<object?, object?>.GetGenericTypeParameter(object? genericContext, int index) => null;

    object? ISignatureTypeProvider<object?, object?>.GetModifiedType(object? modifier, object? unmodifiedType, bool isRequired) => null;

    object? ISignatureTypeProvider<object?, object?>.GetPinnedType(object? elementType) => null;
}
