using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

public sealed class MisspellingTests
{
    [Theory]
    [InlineData("ContainerDestination", "Visiblity", "Visibility")]
    [InlineData("ContainerDestination", "visibilty", "Visibility")]
    [InlineData("ContainerDestination", "Viisbility", "Visibility")]
    [InlineData("ContainerDestination", "Tag", "Tags")]
    [InlineData("ContainerDestination", "Editions", "Edition")]
    [InlineData("ContainerDestination", "Optinal", "Optional")]
    [InlineData("ContainerSecretAllow", "Reasn", "Reason")]
    [InlineData("RegistrySdkCredential", "PaswordVariable", "PasswordVariable")]
    [InlineData("RegistrySdkCredential", "UserNameVariables", "UsernameVariable")]
    [InlineData("RegistrySdkCredential", "RealmHosts", "RealmHost")]
    [InlineData("RegistrySdkEndpoint", "Insecur", "Insecure")]
    [InlineData("RegistrySdkEndpoint", "Registy", "Registry")]
    [InlineData("RegistrySdkEndpoint", "Apis", "Api")]
    public void What_is_almost_one_of_ours_is_an_error_that_names_it(string itemType, string written, string meant)
    {
        var found = Assert.Single(Misspelling.Find([new(itemType, "host/a/b", [written])]));

        Assert.Equal("RSDK9017", found.Code);
        Assert.Contains($"has the metadata {written}, which means nothing. Write {meant}.", found.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ContainerDestination", "Visibility")]
    [InlineData("ContainerDestination", "VISIBILITY")]
    [InlineData("ContainerDestination", "On")]
    [InlineData("ContainerDestination", "In")]
    [InlineData("ContainerDestination", "Team")]
    [InlineData("ContainerDestination", "Owner")]
    [InlineData("ContainerDestination", "Description")]
    [InlineData("ContainerDestination", "NuGetPackageId")]
    [InlineData("RegistrySdkEndpoint", "API")]
    [InlineData("RegistrySdkEndpoint", "Note")]
    [InlineData("SomethingElse", "Visiblity")]
    public void Ours_and_the_projects_own_are_left_alone(string itemType, string written)
        => Assert.Empty(Misspelling.Find([new(itemType, "host/a/b", [written])]));
}
