#define _POSIX_C_SOURCE 200809L
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "try.h"

static char *copy_text(const char *text)
{
    return strcpy(try_allocate(strlen(text) + 1, 1), text);
}

static char *join_text(const char *first, const char *second)
{
    size_t length = strlen(first) + strlen(second) + 1;
    char *text = try_allocate(length, 1);
    snprintf(text, length, "%s%s", first, second);
    return text;
}

static char *join_path(const char *folder, const char *name)
{
    char *part = join_text(folder, "/"), *path = join_text(part, name);
    free(part);
    return path;
}

const char *path_in(const char *folder, const char *name)
{
    static char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        fail(EXIT_USAGE, "the path of %s in the folder is too long", name);
    return path;
}

static int is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

void make_folder(const char *path)
{
    char *part = join_path(path, "");
    for (char *slash = strchr(part + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && !is_folder(part))
            fail(EXIT_USAGE, "folder %s can not be made: %s", part,
                 strerror(errno));
        *slash = '/';
    }
    free(part);
}

/* The library writes a new file beside the old one and renames it, so that the
   folder has to take one as well. Nothing is created to try: a program that is
   killed meanwhile would leave an empty file. */
void check_file_writable(const char *path)
{
    struct stat info;
    char *folder = copy_text(path), *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[1] = '\0';
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        fail(EXIT_USAGE, "%s can not be written: it is not a regular file",
             path);
    if (access(slash != NULL ? folder : ".", W_OK | X_OK) != 0 ||
        (access(path, W_OK) != 0 && errno != ENOENT))
        fail(EXIT_USAGE, "%s can not be written: %s", path, strerror(errno));
    free(folder);
}

void check_writable(const char *folder, const char *name)
{
    check_file_writable(path_in(folder, name));
}

/* Whether `name` is a better choice than `best`: training images before
   others, then the first by name, so that the choice is always the same. */
static int is_better(const char *name, const char *best)
{
    if (strstr(name, "idx3") == NULL)
        return 0;
    if (best == NULL)
        return 1;
    int train = strstr(name, "train") != NULL;
    int best_train = strstr(best, "train") != NULL;
    return train != best_train ? train : strcmp(name, best) < 0;
}

char *find_idx_images(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return NULL;
    if (!S_ISDIR(info.st_mode))
        return copy_text(path);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return NULL;
    char *best = NULL;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (is_better(entry->d_name, best)) {
            free(best);
            best = copy_text(entry->d_name);
        }
    }
    closedir(folder);
    char *found = best != NULL ? join_path(path, best) : NULL;
    free(best);
    return found;
}

char *find_shipped_images(const char *source_file)
{
    char *found = find_idx_images("examples/data");
    if (found != NULL)
        return found;
    char *folder = copy_text(source_file);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    char *data = join_path(slash != NULL ? folder : ".", "../data");
    found = find_idx_images(data);
    free(data);
    free(folder);
    return found;
}

static FILE *open_to_write(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        fail(EXIT_RUN, "%s can not be written: %s", path, strerror(errno));
    return file;
}

/* Errors of a buffered stream may show only when it is closed. */
static void close_written(FILE *file, const char *path)
{
    int bad = ferror(file);
    if (fclose(file) != 0 || bad)
        fail(EXIT_RUN, "%s can not be written: %s", path, strerror(errno));
}

char *find_idx_labels(const char *images)
{
    static const char from[] = "images-idx3", to[] = "labels-idx1";
    char *path = try_copy(images), *last = NULL;
    for (char *at = path; (at = strstr(at, from)) != NULL; at++)
        last = at;
    if (last != NULL)
        memcpy(last, to, sizeof to - 1);
    if (last != NULL && access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

void csv_open(csv_file *csv, const char *path, const char *const *columns,
              size_t count)
{
    csv->file = open_to_write(path);
    csv->path = copy_text(path);
    csv->columns = count;
    for (size_t i = 0; i < count; i++)
        fprintf(csv->file, "%s%s", i > 0 ? "," : "", columns[i]);
    fputc('\n', csv->file);
}

/* %.9g, which csv_rounded() reads back. */
enum { DIGITS = 9 };

double csv_rounded(double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.*g", DIGITS, value);
    return strtod(text, NULL);
}

static int is_header(const char *line, const char *const *columns,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(columns[i]);
        if (strncmp(line, columns[i], length) != 0 ||
            line[length] != (i + 1 < count ? ',' : '\n'))
            return 0;
        line += length + 1;
    }
    return *line == '\0';
}

/* A whole line of so many numbers, the first of which is given. */
static int is_row(const char *line, size_t number, double *values,
                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *end;
        values[i] = strtod(line, &end);
        if (end == line || *end != (i + 1 < count ? ',' : '\n'))
            return 0;
        line = end + 1;
    }
    return *line == '\0' && values[0] == (double)number;
}

/* Reads the rows that stay; where they end. */
static off_t read_rows(FILE *file, size_t columns, size_t rows, size_t *found,
                       void (*row)(const double *values, void *user),
                       void *user)
{
    char *line = NULL;
    size_t room = 0;
    double *values = try_allocate(columns, sizeof *values);
    off_t end = ftello(file);
    while (*found < rows && getline(&line, &room, file) >= 0 &&
           is_row(line, *found + 1, values, columns)) {
        row(values, user);
        end = ftello(file);
        ++*found;
    }
    free(values);
    free(line);
    return end;
}

/* The file at the end of its first line, when that is the header. */
static FILE *open_table(const char *path, const char *const *columns,
                        size_t count)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r+b");
    if (file != NULL && (getline(&line, &room, file) < 0 ||
                         !is_header(line, columns, count))) {
        fclose(file);
        file = NULL;
    }
    free(line);
    return file;
}

size_t csv_resume(csv_file *csv, const char *path, const char *const *columns,
                  size_t count, size_t rows,
                  void (*row)(const double *values, void *user), void *user)
{
    size_t found = 0;
    FILE *file = open_table(path, columns, count);
    off_t end =
        file != NULL ? read_rows(file, count, rows, &found, row, user) : 0;
    if (found < rows) {
        if (file != NULL)
            fclose(file);
        return found;
    }
    if (end < 0 || ftruncate(fileno(file), end) != 0 ||
        fseeko(file, end, SEEK_SET) != 0)
        fail(EXIT_RUN, "%s can not be cut back: %s", path, strerror(errno));
    *csv = (csv_file){file, copy_text(path), count};
    return found;
}

/* Not every place can be synced; what was written is there all the same. */
void csv_sync(csv_file *csv)
{
    if (fsync(fileno(csv->file)) != 0 && errno != EINVAL && errno != EROFS)
        fail(EXIT_RUN, "%s can not be written: %s", csv->path,
             strerror(errno));
}

void csv_row(csv_file *csv, const double *values)
{
    for (size_t i = 0; i < csv->columns; i++)
        fprintf(csv->file, "%s%.*g", i > 0 ? "," : "", DIGITS, values[i]);
    fputc('\n', csv->file);
    fflush(csv->file);
}

void csv_close(csv_file *csv)
{
    close_written(csv->file, csv->path);
    free(csv->path);
}

/*
 * NumPy's format, version 1.0: a magic word, the length of a header, a Python
 * dictionary padded so that the data begin at a multiple of 64 bytes, and the
 * data as they lie in memory.
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
 */
void npy_write(const char *path, const float *values, const size_t *shape,
               size_t rank)
{
    enum { PREFIX = 10, ALIGN = 64, HEADER = 256 };
    const uint16_t one = 1;
    int little = *(const unsigned char *)&one;
    char header[HEADER];
    int used = snprintf(header, sizeof header,
                        "{'descr': '%cf4', 'fortran_order': False, "
                        "'shape': (",
                        little ? '<' : '>');
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        used += snprintf(header + used, sizeof header - (size_t)used, "%zu, ",
                         shape[i]);
        count *= shape[i];
    }
    used += snprintf(header + used, sizeof header - (size_t)used, "), }");

    size_t length = (PREFIX + (size_t)used + 1 + ALIGN - 1) / ALIGN * ALIGN;
    unsigned char prefix[PREFIX] = "\x93NUMPY\x01";
    prefix[8] = (unsigned char)((length - PREFIX) & 0xff);
    prefix[9] = (unsigned char)((length - PREFIX) >> 8);

    /* Under another name until it is whole: whoever is killed leaves the old
       file. */
    char *part = join_text(path, ".part");
    FILE *file = open_to_write(part);
    fwrite(prefix, 1, PREFIX, file);
    fprintf(file, "%-*s\n", (int)(length - PREFIX - 1), header);
    fwrite(values, sizeof *values, count, file);
    close_written(file, part);
    if (rename(part, path) != 0)
        fail(EXIT_RUN, "%s can not be written: %s", path, strerror(errno));
    free(part);
}

ebm_status npy_write_buffer(const char *path, const ebm_buffer *buffer,
                            size_t height, size_t width, size_t channels)
{
    const size_t shape[4] = {ebm_buffer_size(buffer), height, width, channels};
    float *states =
        try_allocate(shape[0], height * width * channels * sizeof *states);
    ebm_status status = ebm_buffer_read(buffer, 0, shape[0], states);
    if (status == EBM_OK)
        npy_write(path, states, shape, 4);
    free(states);
    return status;
}
