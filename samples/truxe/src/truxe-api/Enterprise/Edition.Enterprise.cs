// SPDX-License-Identifier: BUSL-1.1
using Truxe.Api.Enterprise;
using Truxe.Saml;
using Truxe.Scim;

namespace Truxe.Api;

public static partial class Edition
{
    static partial void MapMore(WebApplication app)
    {
        OAuthProvider.Map(app);
        AdvancedRbac.Map(app);
        Passkeys.Map(app);
        app.MapGet("/saml/metadata", (HttpRequest request) => Results.Text(SamlMetadata.For($"https://{request.Host}/saml"), "application/samlmetadata+xml"));
        app.MapGet("/scim/v2/Users", () => ScimUsers.List());
    }
}
