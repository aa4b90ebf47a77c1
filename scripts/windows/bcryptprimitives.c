/* A stand-in for a system library that Wine 8 lacks; for tests under Wine only, never shipped.
 *
 * Rust's standard library takes its random numbers from ProcessPrng in bcryptprimitives.dll, which
 * every Windows since 10 has. Without it the program ends before main, with code 53 and no word.
 */
#include <windows.h>

/* The documented name is RtlGenRandom; advapi32 exports it under this one. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    while (length > 0) {
        ULONG part = length > 0x10000000 ? 0x10000000 : (ULONG)length;
        if (!SystemFunction036(data, part))
            return FALSE;
        data += part;
        length -= part;
    }
    return TRUE;
}
