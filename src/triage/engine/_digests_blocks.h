/* Blocks of 64 bytes into MD5, SHA-1 and SHA-256 together.
 *
 * Each step of MD5 waits for the one before it: most of a core stands idle meanwhile. Here the rounds of SHA-1 and
 * SHA-256 stand between the steps of MD5, as SHA instructions, so that all three take about the time of MD5 alone.
 *
 * References: RFC 1321 (MD5); FIPS 180-4 (SHA-1, SHA-256); Intel 64 and IA-32 Architectures Software Developer's
 * Manual, volume 2, SHA1* and SHA256* instructions, and CPUID leaves 1 and 7.
 */
#ifndef TRIAGE_DIGESTS_BLOCKS_H
#define TRIAGE_DIGESTS_BLOCKS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 64 };

/* The three running states, in the order of lanes that the SHA instructions want, and the bytes of a begun block. */
typedef struct {
    uint32_t md5[4];    /* A B C D */
    uint32_t sha1[8];   /* D C B A, 0 0 0 E */
    uint32_t sha256[8]; /* F E B A, H G D C */
    uint64_t length;    /* bytes so far, those in tail among them */
    uint8_t tail[BLOCK];
} Running;

static const Running START = {
    {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476},
    {0x10325476, 0x98badcfe, 0xefcdab89, 0x67452301, 0, 0, 0, 0xc3d2e1f0},
    {0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667, 0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372},
    0,
    {0},
};

#if (defined(__x86_64__) || (defined(_M_X64) && !defined(_M_ARM64EC))) && \
    (defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER))

#include <immintrin.h>
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define WITH_SHA
#define ALIGNED(type) __declspec(align(16)) type
#define WORD_HERE(word)
#define VECTOR_HERE(vector)
#else
#include <cpuid.h>
#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))
#define ALIGNED(type) type __attribute__((aligned(16)))
/* Keep the order of this file: compilers like to add up in another one, which makes MD5's chain of dependent steps
 * longer, and to move the SHA instructions together, where MD5 has nothing left to do beside them. */
#define WORD_HERE(word) __asm__ volatile("" : "+r"(word));
#define VECTOR_HERE(vector) __asm__ volatile("" : "+x"(vector));
#endif

static int cpu_has_sha(void)
{
    unsigned leaf1_ecx, leaf7_ebx;
#if defined(_MSC_VER) && !defined(__clang__)
    int registers[4];
    __cpuid(registers, 0);
    if (registers[0] < 7)
        return 0;
    __cpuidex(registers, 1, 0);
    leaf1_ecx = (unsigned)registers[2];
    __cpuidex(registers, 7, 0);
    leaf7_ebx = (unsigned)registers[1];
#else
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid_count(1, 0, &eax, &ebx, &leaf1_ecx, &edx))
        return 0;
    if (!__get_cpuid_count(7, 0, &eax, &leaf7_ebx, &ecx, &edx))
        return 0;
#endif
    return leaf1_ecx >> 9 & 1 /* SSSE3 */ && leaf1_ecx >> 19 & 1 /* SSE4.1 */ && leaf7_ebx >> 29 & 1 /* SHA */;
}

static ALIGNED(const uint32_t) SHA256_K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t word(const uint8_t *block, int index)
{
    uint32_t value;
    memcpy(&value, block + 4 * index, sizeof value);
    return value;
}

#define VECTOR(from, index) _mm_loadu_si128((const __m128i *)(from) + (index))
#define KEEP(to, index, vector) _mm_storeu_si128((__m128i *)(to) + (index), vector)

/* RFC 1321's functions with the newest word, b, used as late as possible. G's two parts have no bit in common: the part
 * without b is added early. */
#define F(early, late, b, c, d) late = ((c ^ d) & b) ^ d
#define G(early, late, b, c, d) early += c & ~d, late = b & d
#define H(early, late, b, c, d) late = (c ^ d) ^ b
#define I(early, late, b, c, d) late = c ^ (b | ~d)

#define MD5_STEP(function, a, b, c, d, index, constant, shift) \
    a += constant + word(md5_block, index);                    \
    function(a, late, b, c, d);                                \
    WORD_HERE(a)                                               \
    a += late;                                                 \
    a = (a << shift | a >> (32 - shift)) + b;

#define MD5_4(function, s0, s1, s2, s3, i0, k0, i1, k1, i2, k2, i3, k3) \
    MD5_STEP(function, a, b, c, d, i0, k0, s0)                          \
    MD5_STEP(function, d, a, b, c, i1, k1, s1)                          \
    MD5_STEP(function, c, d, a, b, i2, k2, s2)                          \
    MD5_STEP(function, b, c, d, a, i3, k3, s3)

/* Four rounds of SHA-256 with the words `w`: two with the lower half of w + K, two with its upper half. */
#define SHA256_4(group, w)                           \
    sum = _mm_add_epi32(w, VECTOR(SHA256_K, group)); \
    cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);   \
    sum = _mm_shuffle_epi32(sum, 0x0e);              \
    abef = _mm_sha256rnds2_epu32(abef, cdgh, sum);   \
    VECTOR_HERE(abef)

/* w0 to w3 are the last sixteen words, oldest first; the next four take the place of the oldest. */
#define SHA256_NEXT(group, w0, w1, w2, w3)                                        \
    w0 = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4)); \
    w0 = _mm_sha256msg2_epu32(w0, w3);                                            \
    SHA256_4(group, w0)

/* Four rounds of SHA-1 with FIPS 180-4's function number `f` and the words `w`. */
#define SHA1_4(f, w)                      \
    sum = _mm_sha1nexte_epu32(before, w); \
    before = abcd;                        \
    abcd = _mm_sha1rnds4_epu32(abcd, sum, f);

#define SHA1_NEXT(f, w0, w1, w2, w3)                    \
    w0 = _mm_xor_si128(_mm_sha1msg1_epu32(w0, w1), w2); \
    w0 = _mm_sha1msg2_epu32(w0, w3);                    \
    SHA1_4(f, w0)

/* Takes in `count` blocks. The two addresses differ only where the padding does. */
WITH_SHA static void take_blocks(Running *running, const uint8_t *md5_block, const uint8_t *sha_block, size_t count)
{
    const __m128i reverse16 = _mm_set_epi64x(0x0001020304050607LL, 0x08090a0b0c0d0e0fLL);
    const __m128i reverse4 = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    uint32_t a = running->md5[0], b = running->md5[1], c = running->md5[2], d = running->md5[3], late;
    __m128i abcd = VECTOR(running->sha1, 0), e = VECTOR(running->sha1, 1);
    __m128i abef = VECTOR(running->sha256, 0), cdgh = VECTOR(running->sha256, 1);

    for (; count; count--, md5_block += BLOCK, sha_block += BLOCK) {
        const uint32_t a0 = a, b0 = b, c0 = c, d0 = d;
        const __m128i abcd0 = abcd, e0 = e, abef0 = abef, cdgh0 = cdgh;
        __m128i m0, m1, m2, m3, n0, n1, n2, n3, before, sum;

        m0 = _mm_shuffle_epi8(VECTOR(sha_block, 0), reverse4);
        SHA256_4(0, m0)
        n0 = _mm_shuffle_epi8(VECTOR(sha_block, 0), reverse16);
        sum = _mm_add_epi32(e, n0);
        before = abcd;
        abcd = _mm_sha1rnds4_epu32(abcd, sum, 0);
        MD5_4(F, 7, 12, 17, 22, 0, 0xd76aa478, 1, 0xe8c7b756, 2, 0x242070db, 3, 0xc1bdceee)

        m1 = _mm_shuffle_epi8(VECTOR(sha_block, 1), reverse4);
        SHA256_4(1, m1)
        n1 = _mm_shuffle_epi8(VECTOR(sha_block, 1), reverse16);
        SHA1_4(0, n1)
        MD5_4(F, 7, 12, 17, 22, 4, 0xf57c0faf, 5, 0x4787c62a, 6, 0xa8304613, 7, 0xfd469501)

        m2 = _mm_shuffle_epi8(VECTOR(sha_block, 2), reverse4);
        SHA256_4(2, m2)
        n2 = _mm_shuffle_epi8(VECTOR(sha_block, 2), reverse16);
        SHA1_4(0, n2)
        MD5_4(F, 7, 12, 17, 22, 8, 0x698098d8, 9, 0x8b44f7af, 10, 0xffff5bb1, 11, 0x895cd7be)

        m3 = _mm_shuffle_epi8(VECTOR(sha_block, 3), reverse4);
        SHA256_4(3, m3)
        n3 = _mm_shuffle_epi8(VECTOR(sha_block, 3), reverse16);
        SHA1_4(0, n3)
        SHA1_NEXT(0, n0, n1, n2, n3)
        MD5_4(F, 7, 12, 17, 22, 12, 0x6b901122, 13, 0xfd987193, 14, 0xa679438e, 15, 0x49b40821)

        SHA256_NEXT(4, m0, m1, m2, m3)
        SHA1_NEXT(1, n1, n2, n3, n0)
        MD5_4(G, 5, 9, 14, 20, 1, 0xf61e2562, 6, 0xc040b340, 11, 0x265e5a51, 0, 0xe9b6c7aa)

        SHA256_NEXT(5, m1, m2, m3, m0)
        SHA1_NEXT(1, n2, n3, n0, n1)
        MD5_4(G, 5, 9, 14, 20, 5, 0xd62f105d, 10, 0x02441453, 15, 0xd8a1e681, 4, 0xe7d3fbc8)

        SHA256_NEXT(6, m2, m3, m0, m1)
        SHA1_NEXT(1, n3, n0, n1, n2)
        MD5_4(G, 5, 9, 14, 20, 9, 0x21e1cde6, 14, 0xc33707d6, 3, 0xf4d50d87, 8, 0x455a14ed)

        SHA256_NEXT(7, m3, m0, m1, m2)
        SHA1_NEXT(1, n0, n1, n2, n3)
        SHA1_NEXT(1, n1, n2, n3, n0)
        MD5_4(G, 5, 9, 14, 20, 13, 0xa9e3e905, 2, 0xfcefa3f8, 7, 0x676f02d9, 12, 0x8d2a4c8a)

        SHA256_NEXT(8, m0, m1, m2, m3)
        SHA1_NEXT(2, n2, n3, n0, n1)
        MD5_4(H, 4, 11, 16, 23, 5, 0xfffa3942, 8, 0x8771f681, 11, 0x6d9d6122, 14, 0xfde5380c)

        SHA256_NEXT(9, m1, m2, m3, m0)
        SHA1_NEXT(2, n3, n0, n1, n2)
        MD5_4(H, 4, 11, 16, 23, 1, 0xa4beea44, 4, 0x4bdecfa9, 7, 0xf6bb4b60, 10, 0xbebfbc70)

        SHA256_NEXT(10, m2, m3, m0, m1)
        SHA1_NEXT(2, n0, n1, n2, n3)
        MD5_4(H, 4, 11, 16, 23, 13, 0x289b7ec6, 0, 0xeaa127fa, 3, 0xd4ef3085, 6, 0x04881d05)

        SHA256_NEXT(11, m3, m0, m1, m2)
        SHA1_NEXT(2, n1, n2, n3, n0)
        SHA1_NEXT(2, n2, n3, n0, n1)
        MD5_4(H, 4, 11, 16, 23, 9, 0xd9d4d039, 12, 0xe6db99e5, 15, 0x1fa27cf8, 2, 0xc4ac5665)

        SHA256_NEXT(12, m0, m1, m2, m3)
        SHA1_NEXT(3, n3, n0, n1, n2)
        MD5_4(I, 6, 10, 15, 21, 0, 0xf4292244, 7, 0x432aff97, 14, 0xab9423a7, 5, 0xfc93a039)

        SHA256_NEXT(13, m1, m2, m3, m0)
        SHA1_NEXT(3, n0, n1, n2, n3)
        MD5_4(I, 6, 10, 15, 21, 12, 0x655b59c3, 3, 0x8f0ccc92, 10, 0xffeff47d, 1, 0x85845dd1)

        SHA256_NEXT(14, m2, m3, m0, m1)
        SHA1_NEXT(3, n1, n2, n3, n0)
        MD5_4(I, 6, 10, 15, 21, 8, 0x6fa87e4f, 15, 0xfe2ce6e0, 6, 0xa3014314, 13, 0x4e0811a1)

        SHA256_NEXT(15, m3, m0, m1, m2)
        SHA1_NEXT(3, n2, n3, n0, n1)
        SHA1_NEXT(3, n3, n0, n1, n2)
        MD5_4(I, 6, 10, 15, 21, 4, 0xf7537e82, 11, 0xbd3af235, 2, 0x2ad7d2bb, 9, 0xeb86d391)

        a += a0, b += b0, c += c0, d += d0;
        e = _mm_sha1nexte_epu32(before, e0);
        abcd = _mm_add_epi32(abcd, abcd0);
        abef = _mm_add_epi32(abef, abef0);
        cdgh = _mm_add_epi32(cdgh, cdgh0);
    }
    running->md5[0] = a, running->md5[1] = b, running->md5[2] = c, running->md5[3] = d;
    KEEP(running->sha1, 0, abcd), KEEP(running->sha1, 1, e);
    KEEP(running->sha256, 0, abef), KEEP(running->sha256, 1, cdgh);
}

#else

static int cpu_has_sha(void)
{
    return 0;
}

static void take_blocks(Running *running, const uint8_t *md5_block, const uint8_t *sha_block, size_t count)
{
    (void)running, (void)md5_block, (void)sha_block, (void)count;
}

#endif

#endif /* TRIAGE_DIGESTS_BLOCKS_H */
