/*
 * The papers' tables. Channels are in units of the width, so that at width 64
 * a 2 is the papers' 128; what widens doubles behind itself.
 *
 * Du et al. 2020, supplement, Tables 1 and 2, for the full scale. They do not
 * say where the channels double; the published code does (models.py: in the
 * convolution that halves the image), and so do these. Where the paper takes
 * a block away from a lower scale, what it widened stays narrow.
 */
#include "model/preset/preset.h"

#define SHRINK            \
    {                     \
        EBM_ROW_SHRINK, 0 \
    }
#define STEM(c)         \
    {                   \
        EBM_ROW_STEM, c \
    }
#define STRIDED(c)         \
    {                      \
        EBM_ROW_STRIDED, c \
    }
#define WIDE(c)         \
    {                   \
        EBM_ROW_WIDE, c \
    }
#define BLOCK(c)         \
    {                    \
        EBM_ROW_BLOCK, c \
    }
#define DOWN(c)         \
    {                   \
        EBM_ROW_DOWN, c \
    }
#define WIDEN(c)         \
    {                    \
        EBM_ROW_WIDEN, c \
    }
#define ATTENTION(c)         \
    {                        \
        EBM_ROW_ATTENTION, c \
    }
#define MEAN           \
    {EBM_ROW_MEAN, 0}, \
    {                  \
        EBM_ROW_END, 0 \
    }
#define DENSE(c)        \
    {EBM_ROW_DENSE, c}, \
    {                   \
        EBM_ROW_END, 0  \
    }

/* The network of the UvA deep learning tutorials, no. 8. */
static const ebm_preset_row digits_small[] = {
    WIDE(1), STRIDED(2), STRIDED(4), STRIDED(4), DENSE(4),
};

static const ebm_preset_row mnist[] = {
    STEM(1), WIDEN(1), WIDEN(2), WIDEN(4), MEAN,
};

/* Table 1. */
static const ebm_preset_row cifar_full[] = {
    STEM(1),      /* 3x3 conv2d, 64 */
    BLOCK(1),     /* ResBlock 64 */
    DOWN(1),      /* ResBlock Down 64 */
    BLOCK(1),     /* ResBlock 64 */
    WIDEN(1),     /* ResBlock Down 64 */
    ATTENTION(2), /* Self Attention */
    BLOCK(2),     /* ResBlock 128 */
    WIDEN(2),     /* ResBlock Down 128 */
    BLOCK(4),     /* ResBlock 256 */
    WIDEN(4),     /* ResBlock Down 256 */
    MEAN,         /* Global Mean Pooling, Dense -> 1 */
};

/* Paper: without the first block that halves, and without the first two. */
static const ebm_preset_row cifar_half[] = {
    STEM(1),  BLOCK(1), BLOCK(1), WIDEN(1), ATTENTION(2),
    BLOCK(2), WIDEN(2), BLOCK(4), WIDEN(4), MEAN,
};
static const ebm_preset_row cifar_quarter[] = {
    STEM(1),  BLOCK(1), BLOCK(1), ATTENTION(1), BLOCK(1),
    WIDEN(1), BLOCK(2), WIDEN(2), MEAN,
};

/* Code: without the last blocks, and without attention. */
static const ebm_preset_row cifar_mid_code[] = {
    SHRINK,   STEM(1),  BLOCK(1), DOWN(1), BLOCK(1),
    WIDEN(1), BLOCK(2), WIDEN(2), MEAN,
};
static const ebm_preset_row cifar_small_code[] = {
    SHRINK, SHRINK, STEM(1), BLOCK(1), DOWN(1), BLOCK(1), WIDEN(1), MEAN,
};

/* Table 2. */
static const ebm_preset_row celeba_full[] = {
    STEM(1),      /* 3x3 conv2d, 64 */
    WIDEN(1),     /* ResBlock Down 64 */
    DOWN(2),      /* ResBlock Down 128 */
    WIDEN(2),     /* ResBlock Down 128 */
    BLOCK(4),     /* ResBlock 256 */
    WIDEN(4),     /* ResBlock Down 256 */
    ATTENTION(8), /* Self Attention 512 */
    BLOCK(8),     /* ResBlock 512 */
    WIDEN(8),     /* ResBlock Down 512 */
    MEAN,         /* Global Mean Pooling, Dense -> 1 */
};
static const ebm_preset_row celeba_half[] = {
    STEM(1),      DOWN(1),  WIDEN(1), BLOCK(2), WIDEN(2),
    ATTENTION(4), BLOCK(4), WIDEN(4), MEAN,
};
static const ebm_preset_row celeba_quarter[] = {
    STEM(1),      WIDEN(1), BLOCK(2), WIDEN(2),
    ATTENTION(4), BLOCK(4), WIDEN(4), MEAN,
};

/* Code: one more block, and lower scales of their own. */
static const ebm_preset_row celeba_full_code[] = {
    STEM(1),  WIDEN(1),     DOWN(2),  DOWN(2),  WIDEN(2), BLOCK(4),
    WIDEN(4), ATTENTION(8), BLOCK(8), WIDEN(8), MEAN,
};
static const ebm_preset_row celeba_mid_code[] = {
    SHRINK,   STEM(2), DOWN(2),  DOWN(2), DOWN(2),
    WIDEN(2), DOWN(4), WIDEN(4), MEAN,
};
static const ebm_preset_row celeba_small_code[] = {
    SHRINK, SHRINK, STEM(2), DOWN(2), DOWN(2), DOWN(2), WIDEN(2), MEAN,
};

const ebm_preset_table ebm_preset_tables[] = {
    {"digits-small",
     28,
     28,
     1,
     16,
     0,
     1,
     {{{1, digits_small}}, {{1, digits_small}}}},
    {"du2020-mnist", 28, 28, 1, 64, 1, 1, {{{1, mnist}}, {{1, mnist}}}},
    {"du2020-cifar",
     32,
     32,
     3,
     64,
     1,
     3,
     {{{1, cifar_full}, {2, cifar_half}, {4, cifar_quarter}},
      {{1, cifar_full}, {1, cifar_mid_code}, {1, cifar_small_code}}}},
    {"du2020-celeba",
     128,
     128,
     3,
     64,
     1,
     3,
     {{{1, celeba_full}, {2, celeba_half}, {4, celeba_quarter}},
      {{1, celeba_full_code}, {1, celeba_mid_code}, {1, celeba_small_code}}}},
    {0},
};
