/* The look-ups of search.py in the mapped columns of a hash set, compiled.
 *
 * A set may be damaged or forged. The places of its columns are checked against the length of the buffer once, what its
 * table says each time it is read, so that no look-up reads outside of them. index_format.py tells what the columns are.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

enum {
    MOST_BITS = 24,
    SHORTEST_KEY = 8,      /* bytes that are compared as one number */
    LONGEST_DIGEST = 1024,
    NARROW = 64,           /* rows that are looked through one by one, as in search.py */
    TOGETHER = 32,         /* look-ups whose memory is asked for before the first of them needs it */
    LINE = 64,
    WORTH_A_THREAD = 256,
};

static const int64_t NOWHERE = -1, DAMAGED = -2;

/* The value of each hexadecimal digit and one more; 0 for all else. */
static const uint8_t DIGIT_VALUES[256] = {
    ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

#if defined(__GNUC__) || defined(__clang__)
#define ASK_FOR(place) __builtin_prefetch(place)
#else
#define ASK_FOR(place) ((void)(place))
#endif

typedef struct {
    PyObject_HEAD
    Py_buffer data;
    PyObject *match;                   /* the class of matches, a tuple of FIELDS */
    PyObject *name, *role, *algorithm, *scheme;
    PyObject *says;                    /* gives the categories and the disposition for the number of a label */
    PyObject *said;                    /* what it gave, by number; nothing is ever taken out */
    const uint8_t *keys, *table, *labels, *sizes;
    int64_t rows;
    long long label;
    Py_ssize_t width, drop, key_width;
    int shift, label_width, size_width;
} Column;

enum { NAME, ROLE, ALGORITHM, DIGEST, SCHEME, CATEGORIES, LISTED_SIZE, DISPOSITION, FIELDS };

typedef struct {
    int64_t low, high;
} Bucket;

static int64_t little_endian(const uint8_t *place)
{
    return (int64_t)((uint32_t)place[0] | (uint32_t)place[1] << 8 | (uint32_t)place[2] << 16 | (uint32_t)place[3] << 24);
}

static uint64_t number_at(const uint8_t *numbers, int64_t row, int width)
{
    const uint8_t *place = numbers + (size_t)row * (size_t)width;
    uint64_t number = 0;

    while (width--)
        number = number << 8 | place[width];
    return number;
}

static const uint8_t *entry_of(const Column *column, const uint8_t *digest)
{
    const uint32_t leading = (uint32_t)digest[0] << 16 | (uint32_t)digest[1] << 8 | (uint32_t)digest[2];

    return column->table + 4 * (size_t)(leading >> column->shift);
}

/* The rows that a table's entry and the next lead to; 0 if they lie outside. */
static int read_bucket(const Column *column, const uint8_t *entry, Bucket *bucket)
{
    bucket->low = little_endian(entry);
    bucket->high = little_endian(entry + 4);
    return bucket->low <= bucket->high && bucket->high <= column->rows;
}

static int64_t row_in(const Column *column, Bucket bucket, const uint8_t *digest)
{
    const uint8_t *const wanted = digest + column->drop, *key;
    const size_t width = (size_t)column->key_width, rest = width - SHORTEST_KEY;
    int64_t low = bucket.low, high = bucket.high;
    uint64_t begin, other;

    while (high - low > NARROW) {
        const int64_t middle = (low + high) >> 1;
        if (memcmp(column->keys + (size_t)middle * width, wanted, width) <= 0)
            low = middle;
        else
            high = middle;
    }
    memcpy(&begin, wanted, sizeof begin);
    for (key = column->keys + (size_t)low * width; low < high; low++, key += width) {
        memcpy(&other, key, sizeof other);
        if (other == begin && memcmp(key + SHORTEST_KEY, wanted + SHORTEST_KEY, rest) == 0)
            return low;
    }
    return NOWHERE;
}

static int64_t row_of(const Column *column, const uint8_t *digest)
{
    Bucket bucket;

    return read_bucket(column, entry_of(column, digest), &bucket) ? row_in(column, bucket, digest) : DAMAGED;
}

/* The rows of up to TOGETHER digests; 0 if the table is damaged. Waiting for memory is most of the work: it is asked for
 * in steps, for all of them in each. */
static int rows_of(const Column *column, PyObject *const *values, Py_ssize_t count, int64_t *found)
{
    const uint8_t *entries[TOGETHER];
    Bucket buckets[TOGETHER];
    Py_ssize_t index;

    for (index = 0; index < count; index++) {
        entries[index] = entry_of(column, (const uint8_t *)PyBytes_AS_STRING(values[index]));
        ASK_FOR(entries[index]);
    }
    for (index = 0; index < count; index++) {
        const uint8_t *place, *end;
        if (!read_bucket(column, entries[index], &buckets[index]))
            return 0;
        place = column->keys + (size_t)buckets[index].low * (size_t)column->key_width;
        end = column->keys + (size_t)buckets[index].high * (size_t)column->key_width;
        if (end - place > NARROW * LINE)
            continue;
        for (; place < end; place += LINE)
            ASK_FOR(place);
    }
    for (index = 0; index < count; index++)
        found[index] = row_in(column, buckets[index], (const uint8_t *)PyBytes_AS_STRING(values[index]));
    return 1;
}

static int all_rows_of(const Column *column, PyObject *const *values, Py_ssize_t count, int64_t *found)
{
    Py_ssize_t index;

    for (index = 0; index < count; index += TOGETHER)
        if (!rows_of(column, values + index, count - index < TOGETHER ? count - index : TOGETHER, found + index))
            return 0;
    return 1;
}

static PyObject *refuse_damaged(void)
{
    PyErr_SetString(PyExc_ValueError, "a hash set is damaged: its table leads outside");
    return NULL;
}

static PyObject *refuse_digest(const Column *column, PyObject *value)
{
    PyObject *text = PyObject_CallMethod(value, "hex", NULL);

    if (text != NULL) {
        PyErr_Format(PyExc_ValueError, "not a digest of %U: %.80U", column->algorithm, text);
        Py_DECREF(text);
    }
    return NULL;
}

/* The row of a digest in `row`; 0 with an exception if there can be no answer. */
static int look_up(const Column *column, PyObject *value, int64_t *row)
{
    if (!PyBytes_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a digest is bytes, not %.80s", Py_TYPE(value)->tp_name);
        return 0;
    }
    if (PyBytes_GET_SIZE(value) != column->width) {
        refuse_digest(column, value);
        return 0;
    }
    *row = row_of(column, (const uint8_t *)PyBytes_AS_STRING(value));
    if (*row == DAMAGED)
        refuse_damaged();
    return *row != DAMAGED;
}

static int are_digests(const Column *column, PyObject *const *values, Py_ssize_t count)
{
    Py_ssize_t index;

    for (index = 0; index < count; index++) {
        if (count - index > TOGETHER)
            ASK_FOR(values[index + TOGETHER]);
        if (!PyBytes_Check(values[index])) {
            PyErr_Format(PyExc_TypeError, "a digest is bytes, not %.80s", Py_TYPE(values[index])->tp_name);
            return 0;
        }
        if (PyBytes_GET_SIZE(values[index]) != column->width) {
            PyErr_Format(PyExc_ValueError, "not all are digests of %U", column->algorithm);
            return 0;
        }
    }
    return 1;
}

/* The rows of all digests in a tuple, in `rows`; 0 with an exception if there can be no answer. */
static int look_all_up(const Column *column, PyObject *values, int64_t *rows)
{
    const Py_ssize_t count = PyTuple_GET_SIZE(values);
    PyObject *const *items = ((PyTupleObject *)values)->ob_item;
    int sound;

    if (!are_digests(column, items, count))
        return 0;
    if (count > WORTH_A_THREAD) {
        Py_BEGIN_ALLOW_THREADS
        sound = all_rows_of(column, items, count, rows);
        Py_END_ALLOW_THREADS
    }
    else {
        sound = all_rows_of(column, items, count, rows);
    }
    if (!sound)
        refuse_damaged();
    return sound;
}

static PyObject *hexadecimal(PyObject *value)
{
    static const char DIGITS[] = "0123456789abcdef";
    const Py_ssize_t size = PyBytes_GET_SIZE(value);
    const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(value);
    PyObject *text = PyUnicode_New(2 * size, 127);
    Py_ssize_t index;
    Py_UCS1 *out;

    if (text == NULL)
        return NULL;
    out = PyUnicode_1BYTE_DATA(text);
    for (index = 0; index < size; index++) {
        out[2 * index] = (Py_UCS1)DIGITS[bytes[index] >> 4];
        out[2 * index + 1] = (Py_UCS1)DIGITS[bytes[index] & 15];
    }
    return text;
}

/* The categories and the disposition that a row has; borrowed. */
static PyObject *said_of(const Column *column, int64_t row)
{
    const int width = column->label_width;
    PyObject *number, *said, *kept = NULL;

    number = PyLong_FromLongLong(width ? (long long)number_at(column->labels, row, width) : column->label);
    if (number == NULL)
        return NULL;
    said = PyDict_GetItemWithError(column->said, number);
    if (said == NULL && !PyErr_Occurred()) {
        said = PyObject_CallOneArg(column->says, number);
        if (said != NULL && !(PyTuple_Check(said) && PyTuple_GET_SIZE(said) == 2))
            PyErr_SetString(PyExc_TypeError, "a label is categories and a disposition");
        else if (said != NULL)
            kept = PyDict_SetDefault(column->said, number, said);
        Py_XDECREF(said);
        said = kept;
    }
    Py_DECREF(number);
    return said;
}

static PyObject *listed_size(const Column *column, int64_t row)
{
    const uint64_t stated = column->size_width ? number_at(column->sizes, row, column->size_width) : 0;

    return stated ? PyLong_FromUnsignedLongLong(stated - 1) : Py_NewRef(Py_None);
}

/* What HashMatch(…) makes, without its call; `digest` is hexadecimal. */
static PyObject *match_at(const Column *column, int64_t row, PyObject *digest)
{
    PyTypeObject *type = (PyTypeObject *)column->match;
    PyObject *said = said_of(column, row), *size, *match;

    if (said == NULL)
        return NULL;
    size = listed_size(column, row);
    match = size == NULL ? NULL : type->tp_alloc(type, FIELDS);
    if (match == NULL) {
        Py_XDECREF(size);
        return NULL;
    }
    PyTuple_SET_ITEM(match, NAME, Py_NewRef(column->name));
    PyTuple_SET_ITEM(match, ROLE, Py_NewRef(column->role));
    PyTuple_SET_ITEM(match, ALGORITHM, Py_NewRef(column->algorithm));
    PyTuple_SET_ITEM(match, DIGEST, Py_NewRef(digest));
    PyTuple_SET_ITEM(match, SCHEME, Py_NewRef(column->scheme));
    PyTuple_SET_ITEM(match, CATEGORIES, Py_NewRef(PyTuple_GET_ITEM(said, 0)));
    PyTuple_SET_ITEM(match, LISTED_SIZE, size);
    PyTuple_SET_ITEM(match, DISPOSITION, Py_NewRef(PyTuple_GET_ITEM(said, 1)));
    /* Nothing in it leads back to it, and going through a hundred thousand of them for that takes as long as the rest. */
    PyObject_GC_UnTrack(match);
    return match;
}

static PyObject *match_or_none(const Column *column, int64_t row, PyObject *value)
{
    PyObject *digest, *match;

    if (row == NOWHERE)
        Py_RETURN_NONE;
    digest = hexadecimal(value);
    if (digest == NULL)
        return NULL;
    match = match_at(column, row, digest);
    Py_DECREF(digest);
    return match;
}

/* Reads lower-case hexadecimal digits, and nothing else. */
static int read_digits(PyObject *text, uint8_t *digest, Py_ssize_t width)
{
    const Py_UCS1 *digits;
    Py_ssize_t index;

    if (!PyUnicode_CheckExact(text) || !PyUnicode_IS_COMPACT_ASCII(text) || PyUnicode_GET_LENGTH(text) != 2 * width)
        return 0;
    digits = PyUnicode_1BYTE_DATA(text);
    for (index = 0; index < width; index++) {
        const unsigned high = DIGIT_VALUES[digits[2 * index]], low = DIGIT_VALUES[digits[2 * index + 1]];
        if (!high || !low)
            return 0;
        digest[index] = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    return 1;
}

static PyObject *column_row(PyObject *object, PyObject *value)
{
    int64_t row;

    return look_up((Column *)object, value, &row) ? PyLong_FromLongLong(row) : NULL;
}

static PyObject *column_find(PyObject *object, PyObject *value)
{
    int64_t row;

    return look_up((Column *)object, value, &row) ? match_or_none((Column *)object, row, value) : NULL;
}

static PyObject *find_text(const Column *column, PyObject *text)
{
    uint8_t digest[LONGEST_DIGEST];
    int64_t row;

    if (!read_digits(text, digest, column->width)) {
        if (PyUnicode_Check(text))
            return PyErr_Format(PyExc_ValueError, "not a digest of %U: %.80U", column->algorithm, text);
        return PyErr_Format(PyExc_TypeError, "a digest is text here, not %.80s", Py_TYPE(text)->tp_name);
    }
    row = row_of(column, digest);
    if (row == DAMAGED)
        return refuse_damaged();
    return row == NOWHERE ? Py_NewRef(Py_None) : match_at(column, row, text);
}

static PyObject *column_find_text(PyObject *object, PyObject *text)
{
    return find_text((Column *)object, text);
}

static PyObject *column_rows(PyObject *object, PyObject *asked)
{
    /* A tuple keeps the digests while other threads run. */
    PyObject *values = PySequence_Tuple(asked), *found = NULL;

    if (values != NULL)
        found = PyByteArray_FromStringAndSize(NULL, PyTuple_GET_SIZE(values) * (Py_ssize_t)sizeof(int64_t));
    if (found != NULL && !look_all_up((Column *)object, values, (int64_t *)(void *)PyByteArray_AS_STRING(found)))
        Py_CLEAR(found);
    Py_XDECREF(values);
    return found;
}

static PyObject *column_find_many(PyObject *object, PyObject *asked)
{
    PyObject *values = PySequence_Tuple(asked), *found = NULL;
    Py_ssize_t index, count;
    int64_t *rows;

    if (values == NULL)
        return NULL;
    count = PyTuple_GET_SIZE(values);
    rows = PyMem_New(int64_t, (size_t)count);
    if (rows == NULL)
        PyErr_NoMemory();
    else if (look_all_up((Column *)object, values, rows))
        found = PyList_New(count);
    for (index = 0; found != NULL && index < count; index++) {
        PyObject *match = match_or_none((Column *)object, rows[index], PyTuple_GET_ITEM(values, index));
        if (match == NULL)
            Py_CLEAR(found);
        else
            PyList_SET_ITEM(found, index, match);
    }
    PyMem_Free(rows);
    Py_DECREF(values);
    return found;
}

static int lies_within(int64_t place, int64_t length, int64_t end)
{
    return place >= 0 && length <= end && place <= end - length;
}

typedef struct {
    long long rows, keys, table, labels, sizes;
    int bits;
} Places;

static int has_column(const Column *column, long long place, Py_ssize_t width)
{
    return column->rows == 0 || width == 0 || lies_within(place, column->rows * width, column->data.len);
}

/* Whether the columns lie in the buffer and are such as the look-ups expect. */
static int is_possible(const Column *column, const Places *places)
{
    const int bits = places->bits, label = column->label_width, size = column->size_width;

    return bits >= 0 && bits <= MOST_BITS && column->rows >= 0 && column->rows <= UINT32_MAX
        && column->width <= LONGEST_DIGEST && column->drop >= 0 && column->drop <= bits / 8
        && column->key_width >= SHORTEST_KEY && (label == 0 || label == 1 || label == 2 || label == 4)
        && (size == 0 || size == 4 || size == 8) && has_column(column, places->keys, column->key_width)
        && has_column(column, places->labels, label) && has_column(column, places->sizes, size)
        && lies_within(places->table, (((int64_t)1 << bits) + 1) * 4, column->data.len);
}

static const uint8_t *start_of(const Column *column, long long place, Py_ssize_t width)
{
    return (const uint8_t *)column->data.buf + (column->rows && width ? place : 0);
}

/* Whether a match can be made as a tuple is. */
static int is_plain_tuple(PyObject *match)
{
    const PyTypeObject *type = (PyTypeObject *)match;

    return PyType_IsSubtype((PyTypeObject *)match, &PyTuple_Type) && type->tp_basicsize == PyTuple_Type.tp_basicsize
        && type->tp_itemsize == PyTuple_Type.tp_itemsize;
}

static PyObject *column_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {
        "data", "match", "name", "role", "algorithm", "scheme", "says", "width", "rows", "bits", "drop", "keys",
        "table", "labels", "label_width", "label", "sizes", "size_width", NULL,
    };
    Column *self = (Column *)type->tp_alloc(type, 0);
    Places places;
    int width, drop;

    if (self == NULL)
        return NULL;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "y*O!UOUUOiLiiLLLiLLi:Column", names, &self->data, &PyType_Type, &self->match,
            &self->name, &self->role, &self->algorithm, &self->scheme, &self->says, &width, &places.rows, &places.bits,
            &drop, &places.keys, &places.table, &places.labels, &self->label_width, &self->label, &places.sizes,
            &self->size_width)) {
        /* Nothing is held yet. */
        self->match = self->name = self->role = self->algorithm = self->scheme = self->says = NULL;
        Py_DECREF(self);
        return NULL;
    }
    Py_INCREF(self->match);
    Py_INCREF(self->name);
    Py_INCREF(self->role);
    Py_INCREF(self->algorithm);
    Py_INCREF(self->scheme);
    Py_INCREF(self->says);
    self->rows = places.rows;
    self->width = width;
    self->drop = drop;
    self->key_width = (Py_ssize_t)width - drop;
    self->said = PyDict_New();
    if (self->said != NULL && !is_plain_tuple(self->match))
        PyErr_SetString(PyExc_TypeError, "a match is a named tuple");
    else if (self->said != NULL && !is_possible(self, &places))
        PyErr_SetString(PyExc_ValueError, "a hash set is damaged: its columns lie outside");
    if (PyErr_Occurred()) {
        Py_DECREF(self);
        return NULL;
    }
    self->shift = MOST_BITS - places.bits;
    self->keys = start_of(self, places.keys, self->key_width);
    self->table = (const uint8_t *)self->data.buf + places.table;
    self->labels = start_of(self, places.labels, self->label_width);
    self->sizes = start_of(self, places.sizes, self->size_width);
    return (PyObject *)self;
}

static void column_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Column *self = (Column *)object;

    PyBuffer_Release(&self->data);
    Py_XDECREF(self->match);
    Py_XDECREF(self->name);
    Py_XDECREF(self->role);
    Py_XDECREF(self->algorithm);
    Py_XDECREF(self->scheme);
    Py_XDECREF(self->says);
    Py_XDECREF(self->said);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef column_methods[] = {
    {"row", column_row, METH_O, "Where a digest stands, -1 if nowhere."},
    {"rows", column_rows, METH_O, "Where each of many digests stands, as 64-bit numbers of this machine."},
    {"find", column_find, METH_O, "The match for a digest, None if it does not stand there."},
    {"find_text", column_find_text, METH_O, "The match for a digest in lower-case hexadecimal."},
    {"find_many", column_find_many, METH_O, "The same for each of many."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot column_slots[] = {
    {Py_tp_doc, "The columns of one section of a hash set."},
    {Py_tp_new, column_new},
    {Py_tp_dealloc, column_dealloc},
    {Py_tp_methods, column_methods},
    {0, NULL},
};

static PyType_Spec column_spec = {
    "triage.hashsets._search.Column", sizeof(Column), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, column_slots,
};

typedef struct {
    PyObject_HEAD
    PyObject *columns; /* by algorithm */
    PyObject *exact;   /* of (algorithm, column or None, column of what is withdrawn or None) */
} Finder;

enum { FOR_ALGORITHM, LISTED, WITHDRAWN, STEP };

static int is_column_or_none(PyObject *type, PyObject *object)
{
    return object == Py_None || Py_TYPE(object) == (PyTypeObject *)type;
}

static int are_steps(PyObject *type, PyObject *steps)
{
    Py_ssize_t index;

    for (index = 0; index < PyTuple_GET_SIZE(steps); index++) {
        PyObject *step = PyTuple_GET_ITEM(steps, index);
        if (!PyTuple_Check(step) || PyTuple_GET_SIZE(step) != STEP || !PyUnicode_Check(PyTuple_GET_ITEM(step, 0))
            || !is_column_or_none(type, PyTuple_GET_ITEM(step, LISTED))
            || !is_column_or_none(type, PyTuple_GET_ITEM(step, WITHDRAWN)))
            return 0;
    }
    return 1;
}

static int are_columns(PyObject *type, PyObject *columns)
{
    PyObject *name, *column;
    Py_ssize_t place = 0;

    while (PyDict_Next(columns, &place, &name, &column))
        if (column == Py_None || !is_column_or_none(type, column))
            return 0;
    return 1;
}

static PyObject *finder_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"column", "columns", "exact", NULL};
    PyObject *column, *columns, *exact;
    Finder *self;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O!O!:Finder", names, &PyType_Type, &column, &PyDict_Type,
                                     &columns, &PyTuple_Type, &exact))
        return NULL;
    if (((PyTypeObject *)column)->tp_new != column_new || !are_columns(column, columns) || !are_steps(column, exact)) {
        PyErr_SetString(PyExc_TypeError, "columns by algorithm, and triples of an algorithm and its columns");
        return NULL;
    }
    self = (Finder *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->exact = Py_NewRef(exact);
    self->columns = PyDict_Copy(columns);
    if (self->columns == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void finder_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    Py_XDECREF(((Finder *)object)->columns);
    Py_XDECREF(((Finder *)object)->exact);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *finder_find_value(PyObject *object, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *column;

    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "an algorithm and a digest are asked for, not %zd values", count);
    column = PyDict_GetItemWithError(((Finder *)object)->columns, arguments[0]);
    if (column == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    return column_find(column, arguments[1]);
}

/* What a mapping has, as a new reference; None where it has nothing. */
static PyObject *item_of(PyObject *mapping, PyObject *name)
{
    PyObject *item;

    if (!PyDict_CheckExact(mapping))
        return PyObject_CallMethod(mapping, "get", "O", name);
    item = PyDict_GetItemWithError(mapping, name);
    return item != NULL ? Py_NewRef(item) : PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static int is_withdrawn(const Column *column, PyObject *text)
{
    uint8_t digest[LONGEST_DIGEST];
    int64_t row;

    if (!read_digits(text, digest, column->width)) {
        PyErr_Format(PyExc_ValueError, "not a digest of %U: %.80U", column->algorithm, text);
        return -1;
    }
    row = row_of(column, digest);
    if (row == DAMAGED)
        refuse_damaged();
    return row == DAMAGED ? -1 : row != NOWHERE;
}

/* The answer of one step: a match, or None, with `last` set where the search ends there. */
static PyObject *taken(PyObject *step, PyObject *text, int *last)
{
    PyObject *listed = PyTuple_GET_ITEM(step, LISTED), *withdrawn = PyTuple_GET_ITEM(step, WITHDRAWN);
    PyObject *match = NULL;

    if (!PyUnicode_Check(text))
        return PyErr_Format(PyExc_TypeError, "a digest is text here, not %.80s", Py_TYPE(text)->tp_name);
    if (listed != Py_None) {
        match = find_text((Column *)listed, text);
        *last = match != Py_None;
        if (*last)
            return match;
        Py_DECREF(match);
    }
    if (withdrawn != Py_None) {
        *last = is_withdrawn((Column *)withdrawn, text);
        if (*last < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *finder_find(PyObject *object, PyObject *digests)
{
    PyObject *exact = ((Finder *)object)->exact;
    Py_ssize_t index;

    for (index = 0; index < PyTuple_GET_SIZE(exact); index++) {
        PyObject *step = PyTuple_GET_ITEM(exact, index), *answer = NULL;
        PyObject *text = item_of(digests, PyTuple_GET_ITEM(step, FOR_ALGORITHM));
        const int asked = text == NULL ? -1 : text == Py_None ? 0 : PyObject_IsTrue(text);
        int last = 0;

        if (asked > 0)
            answer = taken(step, text, &last);
        Py_XDECREF(text);
        if (asked < 0 || (asked && answer == NULL) || last)
            return answer;
        Py_XDECREF(answer);
    }
    Py_RETURN_NONE;
}

static PyMethodDef finder_methods[] = {
    {"find", finder_find, METH_O, "The match for a file with these digests."},
    {"find_value", (PyCFunction)(void (*)(void))finder_find_value, METH_FASTCALL, "The match for one digest."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot finder_slots[] = {
    {Py_tp_doc, "The columns of a hash set, and the order in which they are asked."},
    {Py_tp_new, finder_new},
    {Py_tp_dealloc, finder_dealloc},
    {Py_tp_methods, finder_methods},
    {0, NULL},
};

static PyType_Spec finder_spec = {
    "triage.hashsets._search.Finder", sizeof(Finder), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, finder_slots,
};

static int add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int added;

    if (type == NULL)
        return -1;
    added = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return added;
}

static int module_exec(PyObject *module)
{
    return add_type(module, &column_spec) < 0 ? -1 : add_type(module, &finder_spec);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_search", "Search in the columns of a hash set.", 0, NULL, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__search(void)
{
    return PyModuleDef_Init(&module_definition);
}
