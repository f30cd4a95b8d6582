// What GitHub and Docker Hub hold has one name in the emulator, which says what is there, and in Core, which reads it. Tests mean what is there.
global using DockerHubRepository = Registry.Sdk.Emulator.DockerHubRepository;
global using GitHubOwner = Registry.Sdk.Emulator.GitHubOwner;
global using GitHubPackage = Registry.Sdk.Emulator.GitHubPackage;
global using GitHubRepository = Registry.Sdk.Emulator.GitHubRepository;
