#include "json.h"

#include <stdlib.h>

/* By open62541, for types that are written as one string or number. */
static void
tellSimple(FILE *where, const void *value, const UA_DataType *type) {
    static const UA_EncodeJsonOptions options = {.useReversible = true, .stringNodeIds = true};
    UA_ByteString text = UA_BYTESTRING_NULL;
    UA_StatusCode status = UA_encodeJson(value, type, &text, &options);
    if(status != UA_STATUSCODE_GOOD) {
        fprintf(stderr, "%s: %s cannot be told in JSON\n", UA_StatusCode_name(status), type->typeName);
        exit(2);
    }
    fwrite(text.data, 1, text.length, where);
    UA_ByteString_clear(&text);
}

static void
tellList(FILE *where, const void *values, size_t count, const UA_DataType *type) {
    const char *value = values;
    fputs("[", where);
    for(size_t i = 0; i < count; i++) {
        fputs(i ? "," : "", where);
        tell(where, value + i * type->memSize, type);
    }
    fputs("]", where);
}

static void
tellStructure(FILE *where, const void *value, const UA_DataType *type) {
    const char *at = value;
    fputs("{", where);
    for(size_t i = 0; i < type->membersSize; i++) {
        const UA_DataTypeMember *member = &type->members[i];
        fprintf(where, "%s\"%s\":", i ? "," : "", member->memberName);
        at += member->padding;
        if(member->isArray) {
            size_t count = *(const size_t *)at;
            const void *values = *(void *const *)(at + sizeof(size_t));
            if(member->isOptional && !values)
                fputs("null", where);
            else
                tellList(where, values, count, member->memberType);
            at += sizeof(size_t) + sizeof(void *);
        } else if(member->isOptional) {
            const void *there = *(void *const *)at;
            if(there)
                tell(where, there, member->memberType);
            else
                fputs("null", where);
            at += sizeof(void *);
        } else {
            tell(where, at, member->memberType);
            at += member->memberType->memSize;
        }
    }
    fputs("}", where);
}

static void
tellTyped(FILE *where, const void *value, const UA_DataType *type) {
    fputs("{\"TypeId\":", where);
    tellSimple(where, &type->typeId, &UA_TYPES[UA_TYPES_NODEID]);
    fputs(",\"Body\":", where);
    tell(where, value, type);
    fputs("}", where);
}

static void
tellExtensionObject(FILE *where, const UA_ExtensionObject *value) {
    if(value->encoding >= UA_EXTENSIONOBJECT_DECODED) {
        tellTyped(where, value->content.decoded.data, value->content.decoded.type);
    } else if(value->encoding == UA_EXTENSIONOBJECT_ENCODED_NOBODY) {
        fputs("null", where);
    } else {
        fputs("{\"TypeId\":", where);
        tellSimple(where, &value->content.encoded.typeId, &UA_TYPES[UA_TYPES_NODEID]);
        fputs(",\"Encoded\":", where);
        tellSimple(where, &value->content.encoded.body, &UA_TYPES[UA_TYPES_BYTESTRING]);
        fputs("}", where);
    }
}

static UA_Boolean
isStructure(const UA_DataType *type) {
    return type->typeKind == UA_DATATYPEKIND_STRUCTURE || type->typeKind == UA_DATATYPEKIND_OPTSTRUCT;
}

static void
tellVariant(FILE *where, const UA_Variant *value) {
    const UA_DataType *type = value->type;
    if(!type) {
        fputs("{}", where);
        return;
    }
    UA_Boolean structure = isStructure(type);
    unsigned builtIn = structure                                    ? UA_DATATYPEKIND_EXTENSIONOBJECT + 1U
                       : type->typeKind == UA_DATATYPEKIND_ENUM ? UA_DATATYPEKIND_INT32 + 1U
                                                                : type->typeKind + 1U;
    fprintf(where, "{\"Type\":%u,\"Body\":", builtIn);
    if(UA_Variant_isScalar(value)) {
        structure ? tellTyped(where, value->data, type) : tell(where, value->data, type);
    } else if(structure) {
        const char *at = value->data;
        fputs("[", where);
        for(size_t i = 0; i < value->arrayLength; i++) {
            fputs(i ? "," : "", where);
            tellTyped(where, at + i * type->memSize, type);
        }
        fputs("]", where);
    } else {
        tellList(where, value->data, value->arrayLength, type);
    }
    fputs("}", where);
}

static void
tellDataValue(FILE *where, const UA_DataValue *value) {
    fputs("{\"Value\":", where);
    tellVariant(where, &value->value);
    fprintf(where, ",\"Status\":%u", value->hasStatus ? value->status : 0U);
    if(value->hasSourceTimestamp) {
        fputs(",\"SourceTimestamp\":", where);
        tellSimple(where, &value->sourceTimestamp, &UA_TYPES[UA_TYPES_DATETIME]);
    }
    if(value->hasServerTimestamp) {
        fputs(",\"ServerTimestamp\":", where);
        tellSimple(where, &value->serverTimestamp, &UA_TYPES[UA_TYPES_DATETIME]);
    }
    fputs("}", where);
}

void
tell(FILE *where, const void *value, const UA_DataType *type) {
    switch(type->typeKind) {
    case UA_DATATYPEKIND_STRUCTURE:
    case UA_DATATYPEKIND_OPTSTRUCT:
        tellStructure(where, value, type);
        break;
    case UA_DATATYPEKIND_EXTENSIONOBJECT:
        tellExtensionObject(where, value);
        break;
    case UA_DATATYPEKIND_VARIANT:
        tellVariant(where, value);
        break;
    case UA_DATATYPEKIND_DATAVALUE:
        tellDataValue(where, value);
        break;
    default:
        tellSimple(where, value, type);
    }
}
