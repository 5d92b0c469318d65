import { getBytes, hexlify } from 'ethers';

/** The bytes a call reverted with; undefined when it failed for another reason. */
export function revertData(error: unknown): string | undefined {
  const { code, data, info } = error as {
    code?: string;
    data?: unknown;
    info?: { error?: { data?: unknown } };
  };
  const nested = info?.error?.data;
  const found = [data, nested, (nested as { data?: unknown } | undefined)?.data].find(
    (candidate) => typeof candidate === 'string' && candidate.startsWith('0x'),
  );
  if (typeof found === 'string') return hexlify(getBytes(found));
  return code === 'CALL_EXCEPTION' ? '0x' : undefined;
}
