namespace Registry.Sdk.Tasks;
