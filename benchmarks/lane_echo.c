/* The least that the worker's end of a lane can cost: reads lanes from Redis and sends every caller's frame back.
 *
 *     lane_echo SOCKET INBOX LANE...
 *
 * One blocking XREAD over all lanes; what it brings goes back in one XADD, sent together with the next XREAD. Reads the
 * lanes from their beginning, and runs until it is killed or Redis goes. The wire format is that of voicebackend/streams.py.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { AUDIO_IN = 1, AUDIO_OUT = 32 };
enum { HEADER = 3, FRAME = 50, KIND_AT = 16, SEQ_AT = 22, LENGTH_AT = 46 };
enum { MAX_FRAMES = 1024, MAX_BUNDLE = 1024 * 1024, MAX_LANES = 64, MAX_ID = 48 };

static int redis;
static char *input;
static size_t input_size, input_begin, input_end;
static uint8_t bundle[MAX_BUNDLE];
static size_t bundle_size = HEADER;
static uint16_t bundle_frames;
static uint32_t seq;
static char *command;
static size_t command_size, command_used;

static void fail(const char *what) {
    fprintf(stderr, "lane_echo: %s\n", what);
    exit(1);
}

static void *grown(void *memory, size_t size) {
    void *more = realloc(memory, size);
    if (!more) fail("out of memory");
    return more;
}

/* ---- what goes to Redis */

static void put(const void *bytes, size_t count) {
    if (command_used + count > command_size) {
        command_size = 2 * (command_used + count);
        command = grown(command, command_size);
    }
    memcpy(command + command_used, bytes, count);
    command_used += count;
}

static void put_format(const char *format, ...) {
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    put(text, (size_t)vsnprintf(text, sizeof text, format, arguments));
    va_end(arguments);
}

static void put_word(const void *word, size_t count) {
    put_format("$%zu\r\n", count);
    put(word, count);
    put("\r\n", 2);
}

static void put_words(const char **words, size_t count) {
    for (size_t i = 0; i < count; i++) put_word(words[i], strlen(words[i]));
}

static void flush(void) {
    for (size_t sent = 0; sent < command_used;) {
        ssize_t count = write(redis, command + sent, command_used - sent);
        if (count <= 0) fail("Redis does not take more");
        sent += (size_t)count;
    }
    command_used = 0;
}

/* ---- what comes from Redis */

/* Have so many bytes at hand, and return the first; earlier pointers into the input are void. */
static char *want(size_t count) {
    if (input_begin + count > input_size) {
        memmove(input, input + input_begin, input_end - input_begin);
        input_end -= input_begin;
        input_begin = 0;
        if (count > input_size) {
            input_size = 2 * count;
            input = grown(input, input_size);
        }
    }
    while (input_end - input_begin < count) {
        ssize_t got = read(redis, input + input_end, input_size - input_end);
        if (got <= 0) exit(0); /* Redis is gone: so are we */
        input_end += (size_t)got;
    }
    return input + input_begin;
}

/* Read a line: its type, and the number in it. */
static long number(char type) {
    size_t length = 2;
    char *line = want(length);
    while (line[length - 1] != '\n') line = want(++length);
    if (line[0] != type) fail(line[0] == '-' ? "Redis refused a command" : "an answer of another type");
    long value = strtol(line + 1, NULL, 10);
    input_begin += length;
    return value;
}

/* Read a string; it is good until more is read. */
static char *string(size_t *size) {
    long length = number('$');
    *size = length < 0 ? 0 : (size_t)length;
    if (length < 0) return NULL;
    char *bytes = want(*size + 2);
    input_begin += *size + 2;
    return bytes;
}

/* ---- lanes and bundles */

static const char *inbox;
static int waiting; /* answers to XADD that have not been read */

static void send_bundle(void) {
    static const char *words[] = {"NOMKSTREAM", "MAXLEN", "~", "30000", "*", "b"};
    if (!bundle_frames) return;
    bundle[0] = 1;
    memcpy(bundle + 1, &bundle_frames, sizeof bundle_frames);
    put_format("*9\r\n");
    put_word("XADD", 4);
    put_word(inbox, strlen(inbox));
    put_words(words, sizeof words / sizeof *words);
    put_word(bundle, bundle_size);
    bundle_size = HEADER;
    bundle_frames = 0;
    waiting++;
}

static void echo(const uint8_t *data, size_t size) {
    if (size < HEADER || data[0] != 1) fail("a bundle of another version");
    for (size_t at = HEADER; at + FRAME <= size;) {
        uint32_t length;
        memcpy(&length, data + at + LENGTH_AT, sizeof length);
        size_t whole = FRAME + (size_t)length;
        if (whole > size - at) fail("a bundle is cut short");
        if (data[at + KIND_AT] == AUDIO_IN) {
            if (bundle_frames == MAX_FRAMES || bundle_size + whole > MAX_BUNDLE) send_bundle();
            uint8_t *out = bundle + bundle_size;
            memcpy(out, data + at, whole);
            out[KIND_AT] = AUDIO_OUT;
            seq++;
            memcpy(out + SEQ_AT, &seq, sizeof seq);
            bundle_size += whole;
            bundle_frames++;
        }
        at += whole;
    }
}

static void ask(char **lanes, char ids[][MAX_ID], int count) {
    static const char *words[] = {"XREAD", "COUNT", "256", "BLOCK", "1000", "STREAMS"};
    put_format("*%d\r\n", 6 + 2 * count);
    put_words(words, sizeof words / sizeof *words);
    for (int i = 0; i < count; i++) put_word(lanes[i], strlen(lanes[i]));
    for (int i = 0; i < count; i++) put_word(ids[i], strlen(ids[i]));
}

static int lane_named(char **lanes, int count, const char *name, size_t size) {
    for (int i = 0; i < count; i++)
        if (strlen(lanes[i]) == size && !memcmp(lanes[i], name, size)) return i;
    fail("a lane that was not asked for");
    return 0;
}

static void take(char **lanes, char ids[][MAX_ID], int count) {
    size_t size;
    for (long streams = number('*'); streams > 0; streams--) {
        number('*');
        char *name = string(&size);
        int lane = lane_named(lanes, count, name, size);
        for (long entries = number('*'); entries > 0; entries--) {
            number('*');
            char *id = string(&size);
            if (size >= MAX_ID) fail("an id is too long");
            memcpy(ids[lane], id, size);
            ids[lane][size] = 0;
            for (long fields = number('*'); fields > 0; fields -= 2) {
                string(&size);
                char *value = string(&size);
                echo((const uint8_t *)value, size);
            }
        }
    }
}

int main(int argc, char **argv) {
    static char ids[MAX_LANES][MAX_ID];
    int count = argc - 3;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (count < 1 || count > MAX_LANES) fail("lane_echo SOCKET INBOX LANE...");
    if (strlen(argv[1]) >= sizeof address.sun_path) fail("the socket's path is too long");
    strcpy(address.sun_path, argv[1]);
    redis = socket(AF_UNIX, SOCK_STREAM, 0);
    if (redis < 0 || connect(redis, (struct sockaddr *)&address, sizeof address)) fail("Redis is not there");
    inbox = argv[2];
    input_size = 1 << 18;
    input = grown(NULL, input_size);
    for (int i = 0; i < count; i++) strcpy(ids[i], "0");
    for (;;) {
        send_bundle();
        ask(argv + 3, ids, count);
        flush();
        size_t size;
        for (; waiting; waiting--) string(&size);
        take(argv + 3, ids, count);
    }
}
