// SPDX-License-Identifier: BUSL-1.1
export async function register() {
  const { challenge } = await (await fetch('/passkeys/register', { method: 'POST' })).json();
  return navigator.credentials.create({ publicKey: { challenge: Uint8Array.from(atob(challenge), c => c.charCodeAt(0)), rp: { name: 'truxe' } } });
}
