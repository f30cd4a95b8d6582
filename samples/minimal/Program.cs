using Microsoft.AspNetCore.Builder;

var app = WebApplication.CreateSlimBuilder(args).Build();
app.MapGet("/", () => "Hello from acme/minimal.\n");
app.Run();
