// SPDX-License-Identifier: BUSL-1.1
namespace Truxe.Scim;

/// <summary>The users of a directory. Source: RFC 7644, section 3.4.2.</summary>
public static class ScimUsers
{
    public static object List() => new { schemas = new[] { "urn:ietf:params:scim:api:messages:2.0:ListResponse" }, totalResults = 0, Resources = Array.Empty<object>() };
}
