using System.Net.Mail;
using System.Security.Cryptography;
using Polly;
using Polly.Retry;

namespace Truxe.Core;

/// <summary>What every way of logging in needs.</summary>
public static class Accounts
{
    private static readonly ResiliencePipeline Retry = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { MaxRetryAttempts = 2, Delay = TimeSpan.Zero }).Build();

    public static bool IsMail(string text) => MailAddress.TryCreate(text, out _);

    public static string NewToken() => Retry.Execute(() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
}
