/* MD5, SHA-1 and SHA-256 of the same bytes in one pass: padding, digests in hexadecimal, and Python's side.
 *
 * On processors without the instructions that _digests_blocks.h is made of, the module says that it is not available,
 * and raises RuntimeError when used.
 *
 * References: RFC 1321 (MD5); FIPS 180-4 (SHA-1, SHA-256).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_digests_blocks.h"

enum { MD5_BYTES = 16, SHA1_BYTES = 20, SHA256_BYTES = 32, WORTH_A_THREAD = 2048 };

static void take(Running *running, const uint8_t *data, size_t length)
{
    const size_t begun = (size_t)(running->length % BLOCK);

    running->length += length;
    if (begun) {
        const size_t part = length < BLOCK - begun ? length : BLOCK - begun;
        memcpy(running->tail + begun, data, part);
        data += part, length -= part;
        if (begun + part < BLOCK)
            return;
        take_blocks(running, running->tail, running->tail, 1);
    }
    take_blocks(running, data, data, length / BLOCK);
    if (length % BLOCK)
        memcpy(running->tail, data + length / BLOCK * BLOCK, length % BLOCK);
}

/* Pads as RFC 1321, 3.1 and 3.2, and FIPS 180-4, 5.1.1, say: alike but for the order of the length's bytes. */
static void end(Running *running)
{
    uint8_t md5_end[2 * BLOCK] = {0}, sha_end[2 * BLOCK];
    const size_t begun = (size_t)(running->length % BLOCK), blocks = begun + 9 > BLOCK ? 2 : 1;
    const uint64_t bits = running->length << 3;
    int index;

    memcpy(md5_end, running->tail, begun);
    md5_end[begun] = 0x80;
    memcpy(sha_end, md5_end, sizeof sha_end);
    for (index = 0; index < 8; index++) {
        md5_end[blocks * BLOCK - 8 + index] = (uint8_t)(bits >> 8 * index);
        sha_end[blocks * BLOCK - 1 - index] = (uint8_t)(bits >> 8 * index);
    }
    take_blocks(running, md5_end, sha_end, blocks);
}

static PyObject *hexadecimal(const uint8_t *digest, Py_ssize_t size)
{
    static const char DIGITS[] = "0123456789abcdef";
    char text[2 * SHA256_BYTES];
    Py_ssize_t index;

    for (index = 0; index < size; index++) {
        text[2 * index] = DIGITS[digest[index] >> 4];
        text[2 * index + 1] = DIGITS[digest[index] & 15];
    }
    return PyUnicode_FromStringAndSize(text, 2 * size);
}

/* A tuple of MD5, SHA-1 and SHA-256; uses `running` up. */
static PyObject *written(Running *running)
{
    static const int SHA1_LANES[] = {3, 2, 1, 0, 7}, SHA256_LANES[] = {3, 2, 7, 6, 1, 0, 5, 4};
    uint8_t md5[MD5_BYTES], sha1[SHA1_BYTES], sha256[SHA256_BYTES];
    PyObject *texts[3] = {NULL, NULL, NULL}, *all = NULL;
    int index;

    end(running);
    for (index = 0; index < MD5_BYTES; index++)
        md5[index] = (uint8_t)(running->md5[index / 4] >> 8 * (index % 4));
    for (index = 0; index < SHA1_BYTES; index++)
        sha1[index] = (uint8_t)(running->sha1[SHA1_LANES[index / 4]] >> (24 - 8 * (index % 4)));
    for (index = 0; index < SHA256_BYTES; index++)
        sha256[index] = (uint8_t)(running->sha256[SHA256_LANES[index / 4]] >> (24 - 8 * (index % 4)));

    texts[0] = hexadecimal(md5, MD5_BYTES);
    texts[1] = hexadecimal(sha1, SHA1_BYTES);
    texts[2] = hexadecimal(sha256, SHA256_BYTES);
    if (texts[0] && texts[1] && texts[2])
        all = PyTuple_Pack(3, texts[0], texts[1], texts[2]);
    for (index = 0; index < 3; index++)
        Py_XDECREF(texts[index]);
    return all;
}

/* Asked of the processor once, before the module can be used, and the same ever after. */
static int is_available;

static int refuse(void)
{
    if (is_available)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "this processor has no SHA instructions that the module could use");
    return 1;
}

static void take_buffer(Running *running, const Py_buffer *data)
{
    if (data->len > WORTH_A_THREAD) {
        Py_BEGIN_ALLOW_THREADS
        take(running, data->buf, (size_t)data->len);
        Py_END_ALLOW_THREADS
    }
    else {
        take(running, data->buf, (size_t)data->len);
    }
}

static PyObject *digests(PyObject *Py_UNUSED(module), PyObject *content)
{
    Running running;
    Py_buffer data;

    if (refuse() || PyObject_GetBuffer(content, &data, PyBUF_SIMPLE) < 0)
        return NULL;
    running = START;
    take_buffer(&running, &data);
    PyBuffer_Release(&data);
    return written(&running);
}

static PyObject *available(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(is_available);
}

typedef struct {
    PyObject_HEAD
    PyThread_type_lock lock; /* held while `running` changes, for that may be without the interpreter's lock */
    Running running;
} Digests;

static void enter(Digests *self)
{
    if (PyThread_acquire_lock(self->lock, NOWAIT_LOCK))
        return;
    Py_BEGIN_ALLOW_THREADS
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

static PyObject *digests_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {NULL};
    Digests *self;

    if (refuse() || !PyArg_ParseTupleAndKeywords(arguments, keywords, ":Digests", names))
        return NULL;
    self = (Digests *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->running = START;
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void digests_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Digests *self = (Digests *)object;

    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *digests_update(PyObject *object, PyObject *content)
{
    Digests *self = (Digests *)object;
    Py_buffer data;

    if (PyObject_GetBuffer(content, &data, PyBUF_SIMPLE) < 0)
        return NULL;
    enter(self);
    take_buffer(&self->running, &data);
    PyThread_release_lock(self->lock);
    PyBuffer_Release(&data);
    Py_RETURN_NONE;
}

static PyObject *digests_hexdigests(PyObject *object, PyObject *Py_UNUSED(none))
{
    Digests *self = (Digests *)object;
    Running copy;

    enter(self);
    copy = self->running;
    PyThread_release_lock(self->lock);
    return written(&copy);
}

static PyMethodDef digests_methods[] = {
    {"update", digests_update, METH_O, "Take in more bytes."},
    {"hexdigests", digests_hexdigests, METH_NOARGS, "MD5, SHA-1 and SHA-256 of all bytes so far."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot digests_slots[] = {
    {Py_tp_doc, "MD5, SHA-1 and SHA-256 of bytes that come in pieces."},
    {Py_tp_new, digests_new},
    {Py_tp_dealloc, digests_dealloc},
    {Py_tp_methods, digests_methods},
    {0, NULL},
};

static PyType_Spec digests_spec = {
    "triage.engine._digests.Digests", sizeof(Digests), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, digests_slots,
};

static int module_exec(PyObject *module)
{
    PyObject *type;
    int added;

    is_available = cpu_has_sha();
    type = PyType_FromModuleAndSpec(module, &digests_spec, NULL);
    if (type == NULL)
        return -1;
    added = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return added;
}

static PyMethodDef module_methods[] = {
    {"available", available, METH_NOARGS, "Whether this processor can run the rest of the module."},
    {"digests", digests, METH_O, "MD5, SHA-1 and SHA-256 of bytes, in lower-case hexadecimal."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_digests", "MD5, SHA-1 and SHA-256 of the same bytes in one pass.", 0,
    module_methods, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__digests(void)
{
    return PyModuleDef_Init(&module_definition);
}
