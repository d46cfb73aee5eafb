/* open62541 as a client of the tests.
 *
 * Standard input has a command a line, its parts set apart by tabs: a number, the command's name, a name for the
 * client, arguments. Standard output has a JSON line for each command, with its number, and one for each notification.
 * Requests are OPC UA's JSON encoding of them, read by open62541: this file knows no service.
 */
#include <open62541/client.h>
#include <open62541/client_config_default.h>
#include <open62541/client_subscriptions.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "types.h"

#define CLIENTS 8
#define PARTS 24
#define TIMEOUT_MS 10000
#define LOOK_MS 5

typedef struct {
    char name[32];
    UA_Client *client;
} Slot;

typedef struct {
    char *id;
    char *command;
    char *slot;
    char *arguments[PARTS];
    size_t count;
} Command;

typedef struct {
    unsigned long left;
    const UA_DataType *type;
    FILE *told;
} Flood;

static Slot slots[CLIENTS];
static FILE *answers;

static void
stop(const char *why, const char *what) {
    fprintf(stderr, "%s: %s\n", why, what);
    exit(2);
}

/* --- what is told --- */

static void
answer(const Command *command, const void *value, const UA_DataType *type) {
    fprintf(answers, "{\"id\":%s,\"result\":", command->id);
    tell(answers, value, type);
    fputs("}\n", answers);
}

static void
answerStatus(const Command *command, UA_StatusCode status) {
    fprintf(answers, "{\"id\":%s,\"result\":\"%s\"}\n", command->id, UA_StatusCode_name(status));
}

static void
changed(UA_Client *client, UA_UInt32 subscription, void *subscriptionContext, UA_UInt32 item, void *itemContext,
        UA_DataValue *value) {
    (void)client, (void)subscriptionContext, (void)itemContext;
    fprintf(answers, "{\"subscription\":%u,\"item\":%u,\"change\":", subscription, item);
    tell(answers, value, &UA_TYPES[UA_TYPES_DATAVALUE]);
    fputs("}\n", answers);
}

static void
happened(UA_Client *client, UA_UInt32 subscription, void *subscriptionContext, UA_UInt32 item, void *itemContext,
         size_t count, UA_Variant *fields) {
    (void)client, (void)subscriptionContext, (void)itemContext;
    fprintf(answers, "{\"subscription\":%u,\"item\":%u,\"event\":[", subscription, item);
    for(size_t i = 0; i < count; i++) {
        fputs(i ? "," : "", answers);
        tell(answers, &fields[i], &UA_TYPES[UA_TYPES_VARIANT]);
    }
    fputs("]}\n", answers);
}

static void
ended(UA_Client *client, UA_UInt32 subscription, void *context, UA_StatusChangeNotification *notification) {
    (void)client, (void)context;
    fprintf(answers, "{\"subscription\":%u,\"ended\":\"%s\"}\n", subscription,
            UA_StatusCode_name(notification->status));
}

/* --- what is asked --- */

static const char *
option(const Command *command, const char *name) {
    size_t length = strlen(name);
    for(size_t i = 0; i < command->count; i++)
        if(!strncmp(command->arguments[i], name, length) && command->arguments[i][length] == '=')
            return command->arguments[i] + length + 1;
    return NULL;
}

static UA_ByteString
file(const char *path) {
    UA_ByteString content = UA_BYTESTRING_NULL;
    FILE *opened = path ? fopen(path, "rb") : NULL;
    if(!opened)
        return content;
    fseek(opened, 0, SEEK_END);
    UA_ByteString_allocBuffer(&content, (size_t)ftell(opened));
    rewind(opened);
    if(fread(content.data, 1, content.length, opened) != content.length)
        stop("cannot be read", path);
    fclose(opened);
    return content;
}

static const UA_DataType *
typeNamed(const char *service, const char *kind) {
    char name[128];
    snprintf(name, sizeof name, "%s%s", service, kind);
    for(size_t i = 0; i < UA_TYPES_COUNT; i++)
        if(!strcmp(UA_TYPES[i].typeName, name))
            return &UA_TYPES[i];
    stop("no such type", name);
    return NULL;
}

static void *
fromJson(const char *json, const UA_DataType *type) {
    void *value = UA_new(type);
    UA_ByteString text = {strlen(json), (UA_Byte *)(uintptr_t)json};
    UA_DecodeJsonOptions options = {.customTypes = learnt()};
    UA_StatusCode status = UA_decodeJson(&text, value, type, &options);
    if(status != UA_STATUSCODE_GOOD) {
        fprintf(stderr, "%s of %.2000s\n", UA_StatusCode_name(status), json);
        stop("cannot be read from JSON", type->typeName);
    }
    return value;
}

static Slot *
slotOf(const Command *command, UA_Boolean empty) {
    for(size_t i = 0; i < CLIENTS; i++)
        if(empty ? !slots[i].client : slots[i].client && !strcmp(slots[i].name, command->slot))
            return &slots[i];
    stop(empty ? "no room for another client" : "no such client", command->slot);
    return NULL;
}

/* A client that trusts one server certificate, or any if none is given. */
static UA_Client *
newClient(const Command *command) {
    UA_ClientConfig config;
    memset(&config, 0, sizeof config);
    UA_ByteString certificate = file(option(command, "certificate")), key = file(option(command, "key"));
    UA_ByteString trusted = file(option(command, "trusted"));
    UA_StatusCode status =
        key.length ? UA_ClientConfig_setDefaultEncryption(&config, certificate, key, &trusted, trusted.length ? 1 : 0,
                                                          NULL, 0)
                   : UA_ClientConfig_setDefault(&config);
    if(status != UA_STATUSCODE_GOOD)
        stop("cannot be configured", UA_StatusCode_name(status));
    UA_ByteString_clear(&certificate);
    UA_ByteString_clear(&key);
    UA_ByteString_clear(&trusted);
    config.timeout = TIMEOUT_MS;
    config.customDataTypes = learnt();
    const char *mode = option(command, "mode"), *policy = option(command, "policy"), *uri = option(command, "uri");
    const char *lifetime = option(command, "lifetimeMs"), *user = option(command, "user");
    config.securityMode = mode ? (UA_MessageSecurityMode)atoi(mode) : UA_MESSAGESECURITYMODE_NONE;
    if(policy) {
        UA_String_clear(&config.securityPolicyUri);
        config.securityPolicyUri = UA_STRING_ALLOC(policy);
    }
    if(uri) {
        UA_String_clear(&config.clientDescription.applicationUri);
        config.clientDescription.applicationUri = UA_STRING_ALLOC(uri);
    }
    if(lifetime)
        config.secureChannelLifeTime = (UA_UInt32)atoi(lifetime);
    if(user)
        UA_ClientConfig_setAuthenticationUsername(&config, user, option(command, "password"));
    return UA_Client_newWithConfig(&config);
}

static void
openSession(const Command *command) {
    UA_Client *client = newClient(command);
    UA_StatusCode status = option(command, "channelOnly")
                               ? UA_Client_connectSecureChannel(client, option(command, "url"))
                               : UA_Client_connect(client, option(command, "url"));
    if(status == UA_STATUSCODE_GOOD) {
        Slot *slot = slotOf(command, true);
        snprintf(slot->name, sizeof slot->name, "%s", command->slot);
        slot->client = client;
    } else {
        UA_Client_delete(client);
    }
    answerStatus(command, status);
}

/* The endpoints, over channels of its own. */
static void
discover(const Command *command) {
    UA_Client *client = newClient(command);
    UA_GetEndpointsResponse found;
    UA_GetEndpointsResponse_init(&found);
    found.responseHeader.serviceResult =
        UA_Client_getEndpoints(client, option(command, "url"), &found.endpointsSize, &found.endpoints);
    answer(command, &found, &UA_TYPES[UA_TYPES_GETENDPOINTSRESPONSE]);
    UA_GetEndpointsResponse_clear(&found);
    UA_Client_delete(client);
}

static void
closeSession(const Command *command) {
    Slot *slot = slotOf(command, false);
    UA_StatusCode status = UA_Client_disconnect(slot->client);
    UA_Client_delete(slot->client);
    slot->client = NULL;
    answerStatus(command, status);
}

/* The session goes over to another client, which has a channel of its own. */
static void
moveSession(const Command *command) {
    Command other = {.slot = command->arguments[0]};
    UA_NodeId token = UA_NODEID_NULL;
    UA_ByteString nonce = UA_BYTESTRING_NULL;
    UA_StatusCode status = UA_Client_getSessionAuthenticationToken(slotOf(command, false)->client, &token, &nonce);
    if(status == UA_STATUSCODE_GOOD)
        status = UA_Client_activateSession(slotOf(&other, false)->client, token, nonce);
    UA_NodeId_clear(&token);
    UA_ByteString_clear(&nonce);
    answerStatus(command, status);
}

static void
ask(const Command *command) {
    const UA_DataType *type = typeNamed(command->arguments[0], "Response");
    const UA_DataType *requestType = typeNamed(command->arguments[0], "Request");
    void *request = fromJson(command->arguments[1], requestType), *response = UA_new(type);
    __UA_Client_Service(slotOf(command, false)->client, request, requestType, response, type);
    answer(command, response, type);
    UA_delete(request, requestType);
    UA_delete(response, type);
}

static void
answered(UA_Client *client, void *userdata, UA_UInt32 requestId, void *response) {
    (void)client, (void)requestId;
    Flood *flood = (Flood *)userdata;
    tell(flood->told, response, flood->type);
    fputs(--flood->left ? "," : "", flood->told);
}

/* The same request many times, and only then the answers. */
static void
flood(const Command *command) {
    UA_Client *client = slotOf(command, false)->client;
    unsigned long count = strtoul(command->arguments[0], NULL, 10);
    const UA_DataType *requestType = typeNamed(command->arguments[1], "Request");
    char *told = NULL;
    size_t size = 0;
    Flood waiting = {.left = count, .type = typeNamed(command->arguments[1], "Response")};
    waiting.told = open_memstream(&told, &size); /* notifications may come in between */
    void *request = fromJson(command->arguments[2], requestType);
    for(unsigned long i = 0; i < count; i++)
        if(__UA_Client_AsyncService(client, request, requestType, answered, waiting.type, &waiting, NULL))
            stop("cannot be sent", requestType->typeName);
    while(waiting.left)
        UA_Client_run_iterate(client, LOOK_MS);
    fclose(waiting.told);
    fprintf(answers, "{\"id\":%s,\"result\":[%s]}\n", command->id, told);
    free(told);
    UA_delete(request, requestType);
}

static void
subscribe(const Command *command) {
    UA_CreateSubscriptionRequest *request =
        fromJson(command->arguments[0], &UA_TYPES[UA_TYPES_CREATESUBSCRIPTIONREQUEST]);
    UA_CreateSubscriptionResponse response =
        UA_Client_Subscriptions_create(slotOf(command, false)->client, *request, NULL, ended, NULL);
    answer(command, &response, &UA_TYPES[UA_TYPES_CREATESUBSCRIPTIONRESPONSE]);
    UA_CreateSubscriptionResponse_clear(&response);
    UA_CreateSubscriptionRequest_delete(request);
}

static void
watch(const Command *command) {
    const UA_DataType *type = &UA_TYPES[UA_TYPES_CREATEMONITOREDITEMSREQUEST];
    UA_CreateMonitoredItemsRequest *request = fromJson(command->arguments[0], type);
    UA_Client *client = slotOf(command, false)->client;
    UA_Boolean events = request->itemsToCreate[0].itemToMonitor.attributeId == UA_ATTRIBUTEID_EVENTNOTIFIER;
    size_t count = request->itemsToCreateSize;
    void **contexts = calloc(count, sizeof *contexts);
    UA_Client_DataChangeNotificationCallback *values = calloc(count, sizeof *values);
    UA_Client_EventNotificationCallback *reports = calloc(count, sizeof *reports);
    UA_Client_DeleteMonitoredItemCallback *deleted = calloc(count, sizeof *deleted);
    for(size_t i = 0; i < count; i++) {
        values[i] = changed;
        reports[i] = happened;
    }
    UA_CreateMonitoredItemsResponse response =
        events ? UA_Client_MonitoredItems_createEvents(client, *request, contexts, reports, deleted)
               : UA_Client_MonitoredItems_createDataChanges(client, *request, contexts, values, deleted);
    answer(command, &response, &UA_TYPES[UA_TYPES_CREATEMONITOREDITEMSRESPONSE]);
    UA_CreateMonitoredItemsResponse_clear(&response);
    UA_CreateMonitoredItemsRequest_delete(request);
    free(contexts), free(values), free(reports), free(deleted);
}

static void
tellState(const Command *command) {
    UA_SecureChannelState channel;
    UA_SessionState session;
    UA_StatusCode status;
    UA_Client_getState(slotOf(command, false)->client, &channel, &session, &status);
    fprintf(answers, "{\"id\":%s,\"result\":{\"channel\":%d,\"session\":%d,\"status\":\"%s\"}}\n", command->id,
            channel, session, UA_StatusCode_name(status));
}

static UA_NodeId
nodeId(const char *text) {
    UA_NodeId id;
    if(UA_NodeId_parse(&id, UA_STRING((char *)(uintptr_t)text)) != UA_STATUSCODE_GOOD)
        stop("no NodeId", text);
    return id;
}

static void
tellOfTypes(const Command *command, UA_StatusCode status) {
    for(size_t i = 0; i < CLIENTS; i++)
        if(slots[i].client)
            UA_Client_getConfig(slots[i].client)->customDataTypes = learnt();
    answerStatus(command, status);
}

static void
learn(const Command *command) {
    const UA_DataType *type = &UA_TYPES[UA_TYPES_STRUCTUREDEFINITION];
    UA_StructureDefinition *definition = fromJson(command->arguments[2], type);
    UA_NodeId id = nodeId(command->arguments[1]);
    tellOfTypes(command, learnStructure(command->arguments[0], id, definition));
    UA_NodeId_clear(&id);
    UA_StructureDefinition_delete(definition);
}

/* --- the lines --- */

static void
run(const Command *command) {
    static const struct {
        const char *name;
        void (*run)(const Command *command);
        size_t arguments;
    } known[] = {
        {"open", openSession, 1}, {"close", closeSession, 0}, {"move", moveSession, 1}, {"ask", ask, 2},
        {"flood", flood, 3},      {"subscribe", subscribe, 1}, {"watch", watch, 1},     {"state", tellState, 0},
        {"learn", learn, 3},      {"discover", discover, 1},
    };
    for(size_t i = 0; i < sizeof known / sizeof *known; i++)
        if(!strcmp(known[i].name, command->command) && command->count >= known[i].arguments) {
            known[i].run(command);
            return;
        }
    stop("no such command", command->command);
}

static void
obey(char *line) {
    Command command = {0};
    char *rest = line;
    line[strcspn(line, "\n")] = 0;
    command.id = strsep(&rest, "\t");
    command.command = strsep(&rest, "\t");
    command.slot = strsep(&rest, "\t");
    while(rest && command.count < PARTS)
        command.arguments[command.count++] = strsep(&rest, "\t");
    if(!command.slot)
        stop("a command has a number, a name and a client", command.id);
    run(&command);
}

int
main(void) {
    /* open62541 logs to standard output, which is ours. */
    answers = fdopen(dup(STDOUT_FILENO), "w");
    dup2(STDERR_FILENO, STDOUT_FILENO);
    char *line = NULL;
    size_t size = 0;
    setvbuf(stdin, NULL, _IONBF, 0); /* else poll does not see what was read ahead */
    for(;;) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        if(poll(&input, 1, LOOK_MS) > 0) {
            if(getline(&line, &size, stdin) < 0)
                break;
            obey(line);
        }
        for(size_t i = 0; i < CLIENTS; i++)
            if(slots[i].client)
                UA_Client_run_iterate(slots[i].client, 0);
        fflush(answers);
        fflush(stdout);
    }
    for(size_t i = 0; i < CLIENTS; i++)
        if(slots[i].client)
            UA_Client_delete(slots[i].client);
    return 0;
}
