using System.Reflection;
using Truxe.Api;
using Truxe.Api.Auth;

var app = WebApplication.CreateBuilder(args).Build();
app.UseStaticFiles();

// Assembly metadata names the edition that this was built as.
var edition = Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "ContainerEdition").Value;
app.MapGet("/", () => new { product = "truxe", edition });

MagicLink.Map(app);
Password.Map(app);
OAuthLogin.Map(app);
Edition.Map(app);

app.Run();
