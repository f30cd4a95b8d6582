using Acme.Orders.Pricing;
using Polly;
using Polly.Retry;

var app = WebApplication.CreateBuilder(args).Build();
var stock = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions()).Build();

app.MapStaticAssets();
app.MapGet("/", () => Results.Redirect("/index.html"));
app.MapGet("/orders/{pieces:int}", async (int pieces, string? language, CancellationToken cancellation) =>
{
    // A stand-in for a call to another service, which may have to be tried again.
    var inStock = await stock.ExecuteAsync(_ => ValueTask.FromResult(pieces < 1000), cancellation);
    return Results.Ok(new { pieces, inStock, price = PriceList.Total(pieces), note = PriceList.Note(pieces, language) });
});
app.Run();
