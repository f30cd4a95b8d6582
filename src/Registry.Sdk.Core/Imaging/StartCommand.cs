using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>
/// Entrypoint and command from the .NET SDK's six properties, with the stock SDK's meaning (its documentation: «ContainerAppCommand» and
/// «ContainerAppCommandInstruction»; issue 3 holds both against each other).
/// </summary>
internal static class StartCommand
{
    /// <summary>Decides both, or says which property to change.</summary>
    public static (IReadOnlyList<string> Entrypoint, IReadOnlyList<string> Cmd) Decide(ContainerSettings settings, IReadOnlyList<string> baseEntrypoint, ICollection<Diagnostic> diagnostics)
    {
        // Microsoft's SDK-like images start `dotnet`, which is never meant to stay in front of an application.
        var inherited = baseEntrypoint is ["dotnet"] or ["/usr/bin/dotnet"] ? [] : baseEntrypoint;
        var setsEntrypoint = settings.Entrypoint.Count > 0 || settings.EntrypointArgs.Count > 0;
        var instruction = settings.AppCommandInstruction;
        if (instruction.Length == 0 && setsEntrypoint)
        {
            // Arguments alone: the form from before ContainerAppCommand. The application is the entrypoint, the arguments its command.
            if (settings.Entrypoint.Count == 0 && settings.DefaultArgs.Count == 0 && settings.AppCommandArgs.Count == 0)
            {
                return (settings.AppCommand.Count > 0 ? settings.AppCommand : inherited, settings.EntrypointArgs);
            }

            instruction = "DefaultArgs";
        }

        if (settings.EntrypointArgs.Count > 0 && settings.Entrypoint.Count == 0)
        {
            return Bad("ContainerEntrypointArgs is set without ContainerEntrypoint. Use ContainerAppCommandArgs for arguments that are always there, ContainerDefaultArgs for those a user may replace.");
        }

        if (settings.AppCommandArgs.Count > 0 && settings.AppCommand.Count == 0)
        {
            return Bad("ContainerAppCommandArgs is set without ContainerAppCommand. Set ContainerAppCommand, or remove the arguments.");
        }

        IReadOnlyList<string> command = [.. settings.AppCommand, .. settings.AppCommandArgs];
        switch (instruction)
        {
            case "" or "Entrypoint":
                return setsEntrypoint
                    ? Bad("ContainerAppCommandInstruction is Entrypoint, but ContainerEntrypoint is set too. Set it to DefaultArgs or None, or remove ContainerEntrypoint.")
                    : (command.Count > 0 ? command : inherited, settings.DefaultArgs);
            case "DefaultArgs":
                return (OwnOrInherited(), [.. command, .. settings.DefaultArgs]);
            case "None":
                return command.Count > 0
                    ? Bad("ContainerAppCommandInstruction is None, but ContainerAppCommand is set. Remove one of the two.")
                    : (OwnOrInherited(), settings.DefaultArgs);
            default:
                return Bad($"ContainerAppCommandInstruction is '{instruction}'. Use Entrypoint, DefaultArgs or None.");
        }

        IReadOnlyList<string> OwnOrInherited() => settings.Entrypoint.Count > 0 ? [.. settings.Entrypoint, .. settings.EntrypointArgs] : inherited;

        (IReadOnlyList<string>, IReadOnlyList<string>) Bad(string message)
        {
            diagnostics.Add(DiagnosticCodes.BadConfig.Report(message));
            return ([], []);
        }
    }
}
