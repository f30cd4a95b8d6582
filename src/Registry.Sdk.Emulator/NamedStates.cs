using System.Text.Json;

namespace Registry.Sdk.Emulator;

/// <summary>Something the emulator keeps by name.</summary>
internal interface INamedState
{
    /// <summary><c>owner/name</c>.</summary>
    string Name { get; }
}

/// <summary>What a service knows of its repositories, kept in the state directory. Thread-safe; what it gives out are copies.</summary>
/// <typeparam name="T">What is known of one.</typeparam>
internal abstract class NamedStates<T>
    where T : class, INamedState
{
    private readonly StateFile _file;
    private readonly string _noun;

    /// <summary>Reads what an earlier run kept.</summary>
    protected NamedStates(RegistryStore store, string file, string noun)
    {
        Store = store;
        _file = new StateFile(file);
        _noun = noun;
        States = _file.Load<List<T>>().ToDictionary(state => state.Name, StringComparer.Ordinal);
    }

    /// <summary>The content.</summary>
    protected RegistryStore Store { get; }

    /// <summary>Held while <see cref="States"/> is looked at.</summary>
    protected Lock Gate { get; } = new();

    /// <summary>By name.</summary>
    protected Dictionary<string, T> States { get; }

    /// <summary>The one of this name, or <see langword="null"/> if there is none.</summary>
    public T? Find(string name)
    {
        lock (Gate)
        {
            return Current(name) is { } state ? Copy(state) : null;
        }
    }

    /// <summary>Changes one.</summary>
    /// <exception cref="InvalidOperationException">There is none of this name, or <paramref name="change"/> refuses.</exception>
    public void Change(string name, Action<T> change)
    {
        lock (Gate)
        {
            change(Required(name));
            Save();
        }
    }

    /// <summary>Deletes one and all it holds; pushing again makes a new one.</summary>
    /// <exception cref="InvalidOperationException">There is none of this name.</exception>
    public void Delete(string name)
    {
        lock (Gate)
        {
            _ = Required(name);
            Store.RemoveRepository(name);
            States.Remove(name);
            Save();
        }
    }

    /// <summary>The one of this name as it is, with what a seeder stored; called with <see cref="Gate"/> held.</summary>
    protected abstract T? Current(string name);

    /// <summary>Keeps the states; called with <see cref="Gate"/> held.</summary>
    protected void Save() => _file.Save(States.Values);

    /// <summary>One that its reader may change.</summary>
    protected static T Copy(T state) => JsonSerializer.Deserialize<T>(JsonSerializer.SerializeToUtf8Bytes(state))!;

    private T Required(string name) => Current(name) ?? throw new InvalidOperationException($"there is no {_noun} '{name}'");
}
