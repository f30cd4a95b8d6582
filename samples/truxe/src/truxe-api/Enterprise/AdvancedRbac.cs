// SPDX-License-Identifier: BUSL-1.1
namespace Truxe.Api.Enterprise;

/// <summary>Roles that inherit from each other, described in an embedded file.</summary>
public static class AdvancedRbac
{
    public static void Map(WebApplication app) => app.MapGet("/rbac/roles", () => Results.Stream(typeof(AdvancedRbac).Assembly.GetManifestResourceStream("roles.json")!, "application/json"));
}
