/*
 * Winograd's transforms, in every variant: the convolution that they make,
 * against plain loops, and their adjoints, by <T x, y> = <x, T' y>.
 */
#include "ebm_test.h"
#include "kernel_check.h"

enum { IN = 16, OUT = 32, MOST_PLANES = 36 };

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double length(const float *a, size_t n)
{
    return sqrt(dot(a, a, n));
}

/* Everything about one image. */
typedef struct image {
    ebm_winograd w;
    size_t tiles, planes;
    float *x, *y;      /* the image and its result */
    float *in, *out;   /* planes */
    float *weight, *u; /* [3, 3, IN, OUT]; planes of panels */
} image;

static image create(size_t edge, size_t height, size_t width, size_t padding)
{
    image m = {.planes = edge * edge};
    m.w = (ebm_winograd){.edge = edge,
                         .height = height,
                         .width = width,
                         .channels = IN,
                         .padding = padding,
                         .out_height = height + 2 * padding - 2,
                         .out_width = width + 2 * padding - 2,
                         .out_channels = OUT};
    size_t side = edge - 2;
    m.tiles = ((m.w.out_height + side - 1) / side) *
              ((m.w.out_width + side - 1) / side);
    m.x = test_floats(height * width * IN);
    m.y = test_floats(m.w.out_height * m.w.out_width * OUT);
    m.in = test_floats(m.planes * m.tiles * IN);
    m.out = test_floats(m.planes * m.tiles * OUT);
    m.weight = test_floats(9 * IN * OUT);
    m.u = test_floats(MOST_PLANES * IN * OUT);
    return m;
}

static void destroy(image *m)
{
    float *const all[] = {m->x, m->y, m->in, m->out, m->weight, m->u};
    for (size_t i = 0; i < TEST_COUNT(all); i++)
        free(all[i]);
}

static void prepare(const ebm_kernels *kernels, image *m)
{
    ebm_winograd_weights w = {.edge = m->w.edge,
                              .rows = IN,
                              .row_step = OUT,
                              .tap_step = IN * OUT,
                              .plane = IN * OUT};
    for (size_t o = 0; o < OUT; o += EBM_PANEL)
        kernels->winograd_weights(&w, m->weight + o, m->u + o * IN);
}

/* The products between the transforms, as plainly as possible. */
static void multiply(image *m)
{
    for (size_t p = 0; p < m->planes; p++)
        for (size_t t = 0; t < m->tiles; t++)
            for (size_t o = 0; o < OUT; o++) {
                double sum = 0;
                for (size_t i = 0; i < IN; i++)
                    sum += (double)m->in[(p * m->tiles + t) * IN + i] *
                           (double)m->u[p * IN * OUT +
                                        (o / EBM_PANEL * IN + i) * EBM_PANEL +
                                        o % EBM_PANEL];
                m->out[(p * m->tiles + t) * OUT + o] = (float)sum;
            }
}

static double plain(const image *m, size_t r, size_t c, size_t o)
{
    double sum = 0;
    for (size_t k = 0; k < 9; k++) {
        ptrdiff_t y = (ptrdiff_t)(r + k / 3) - (ptrdiff_t)m->w.padding;
        ptrdiff_t x = (ptrdiff_t)(c + k % 3) - (ptrdiff_t)m->w.padding;
        if (y < 0 || x < 0 || y >= (ptrdiff_t)m->w.height ||
            x >= (ptrdiff_t)m->w.width)
            continue;
        size_t at = ((size_t)y * m->w.width + (size_t)x) * IN;
        for (size_t i = 0; i < IN; i++)
            sum += (double)m->x[at + i] *
                   (double)m->weight[(k * IN + i) * OUT + o];
    }
    return sum;
}

static void check_convolution(const ebm_kernels *kernels, image *m)
{
    float bias[OUT];
    for (size_t o = 0; o < OUT; o++)
        bias[o] = (float)o;
    prepare(kernels, m);
    m->w.plane = m->tiles * IN;
    /* Tiles one by one, and together. */
    kernels->winograd_input(&m->w, 0, 1, m->x, m->in);
    kernels->winograd_input(&m->w, 1, m->tiles - 1, m->x, m->in + IN);
    multiply(m);
    m->w.plane = m->tiles * OUT;
    kernels->winograd_output(&m->w, 0, m->tiles, m->out, bias, m->y);
    double largest = 0, error = 0;
    for (size_t r = 0; r < m->w.out_height; r++)
        for (size_t c = 0; c < m->w.out_width; c++)
            for (size_t o = 0; o < OUT; o++) {
                double exact = plain(m, r, c, o);
                double got = (double)m->y[(r * m->w.out_width + c) * OUT + o] -
                             (double)bias[o];
                largest = fmax(largest, fabs(exact));
                error = fmax(error, fabs(got - exact));
                assert_true(isfinite(got));
            }
    assert_true(error < 2e-5 * largest);
}

/* <T a, b> = <a, T' b> within rounding. */
static void assert_adjoint(double left, double right, double scale)
{
    assert_close((float)left, right, 1e-5 * scale, 0);
}

static void check_adjoints(const ebm_kernels *kernels, image *m,
                           uint64_t *random)
{
    size_t x_size = m->w.height * m->w.width * IN;
    size_t y_size = m->w.out_height * m->w.out_width * OUT;
    size_t in_size = m->planes * m->tiles * IN;
    size_t out_size = m->planes * m->tiles * OUT, n = IN * OUT;
    float *planes = test_floats(m->planes * m->tiles * OUT);
    float *back = test_floats(x_size + y_size);

    m->w.plane = m->tiles * IN;
    kernels->winograd_input(&m->w, 0, m->tiles, m->x, m->in);
    test_fill_normal(random, planes, in_size, 1);
    memset(back, 0, x_size * sizeof *back);
    kernels->winograd_input_back(&m->w, 0, m->tiles, planes, back);
    assert_adjoint(dot(m->in, planes, in_size), dot(m->x, back, x_size),
                   length(m->in, in_size) * length(planes, in_size));

    m->w.plane = m->tiles * OUT;
    test_fill_normal(random, m->out, out_size, 1);
    test_fill_normal(random, back, y_size, 1);
    kernels->winograd_output(&m->w, 0, m->tiles, m->out, NULL, m->y);
    kernels->winograd_output_back(&m->w, 0, m->tiles, back, planes);
    assert_adjoint(dot(m->y, back, y_size), dot(m->out, planes, out_size),
                   length(m->y, y_size) * length(back, y_size));

    /* U in panels has the numbers of U as a matrix in another order. */
    float *u = test_floats(m->planes * n),
          *turned = test_floats(m->planes * n);
    float *gradient = test_floats(9 * n);
    test_fill_normal(random, u, m->planes * n, 1);
    prepare(kernels, m);
    for (size_t i = 0; i < m->planes * n; i++) {
        size_t p = i / n, r = i % n / OUT, c = i % OUT;
        turned[i] =
            m->u[p * n + (c / EBM_PANEL * IN + r) * EBM_PANEL + c % EBM_PANEL];
    }
    memset(gradient, 0, 9 * n * sizeof *gradient);
    kernels->winograd_weights_back(m->w.edge, n, u, gradient);
    assert_adjoint(dot(turned, u, m->planes * n),
                   dot(m->weight, gradient, 9 * n),
                   length(turned, m->planes * n) * length(u, m->planes * n));
    free(planes);
    free(back);
    free(u);
    free(turned);
    free(gradient);
}

static void tiles_of_all_sizes(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{8, 8, 1}, {7, 5, 1}, {5, 9, 0},
                                       {4, 4, 1}, {3, 3, 2}, {6, 11, 3}};
    const ebm_kernels *kernels;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++)
        for (size_t i = 0; kernels->usable() && i < TEST_COUNT(shapes); i++)
            for (size_t edge = 4; edge <= 6; edge += 2) {
                uint64_t random = 7 + i;
                const size_t *s = shapes[i];
                image m = create(edge, s[0], s[1], s[2]);
                test_fill_normal(&random, m.x, s[0] * s[1] * IN, 1);
                test_fill_normal(&random, m.weight, 9 * IN * OUT, 1);
                check_convolution(kernels, &m);
                check_adjoints(kernels, &m, &random);
                destroy(&m);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiles_of_all_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
