namespace Registry.Sdk.Emulator;

/// <summary>The specification without any check, for <see cref="EmulatorServer.CreateAdministrator"/>; the personality learns of what is stored.</summary>
internal sealed class AdministratorPersonality(Personality inner) : Personality
{
    public override void Authorize(HttpContext context, string? repository, EmulatorRights needed)
    {
    }

    public override void Stored(HttpContext context, string name, string? tag, StoredManifest manifest) => inner.Stored(context, name, tag, manifest);
}
