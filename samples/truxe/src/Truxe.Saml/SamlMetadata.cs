// SPDX-License-Identifier: BUSL-1.1
using System.Xml.Linq;

namespace Truxe.Saml;

/// <summary>The metadata of truxe as a SAML service provider. Source: SAML 2.0 metadata, section 2.3.2.</summary>
public static class SamlMetadata
{
    private static readonly XNamespace Metadata = "urn:oasis:names:tc:SAML:2.0:metadata";

    public static string For(string entity) => new XElement(Metadata + "EntityDescriptor", new XAttribute("entityID", entity)).ToString();
}
