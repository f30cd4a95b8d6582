// SPDX-License-Identifier: BUSL-1.1
using Truxe.Scim;

var app = WebApplication.CreateBuilder(args).Build();
app.MapGet("/", () => "truxe admin");
app.MapGet("/directory", () => ScimUsers.List());
app.Run();
