using Registry.Sdk.Emulator;

return await CommandLine.RunAsync(args);
