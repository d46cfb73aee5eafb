#include "types.h"

#include <stdlib.h>
#include <string.h>

static const UA_DataTypeArray *newest; /* linked from the newest to the oldest */

const UA_DataTypeArray *
learnt(void) {
    return newest;
}

static void
keep(const UA_DataType *type) {
    UA_DataTypeArray made = {.next = newest, .typesSize = 1, .types = type};
    UA_DataTypeArray *kept = malloc(sizeof made);
    memcpy(kept, &made, sizeof made);
    newest = kept;
}

static size_t
alignmentOf(const UA_DataType *type) {
    switch(type->typeKind) {
    case UA_DATATYPEKIND_BOOLEAN:
    case UA_DATATYPEKIND_SBYTE:
    case UA_DATATYPEKIND_BYTE:
        return 1;
    case UA_DATATYPEKIND_INT16:
    case UA_DATATYPEKIND_UINT16:
        return _Alignof(UA_Int16);
    case UA_DATATYPEKIND_INT32:
    case UA_DATATYPEKIND_UINT32:
    case UA_DATATYPEKIND_FLOAT:
    case UA_DATATYPEKIND_STATUSCODE:
    case UA_DATATYPEKIND_ENUM:
        return _Alignof(UA_Int32);
    case UA_DATATYPEKIND_GUID:
        return _Alignof(UA_Guid);
    case UA_DATATYPEKIND_STRUCTURE: {
        size_t widest = 1;
        for(size_t i = 0; i < type->membersSize; i++) {
            size_t own = type->members[i].isArray ? _Alignof(size_t) : alignmentOf(type->members[i].memberType);
            widest = own > widest ? own : widest;
        }
        return widest;
    }
    default: /* all others have 64-bit numbers, or pointers: an optional field is one */
        return _Alignof(UA_Int64);
    }
}

static size_t
upTo(size_t offset, size_t alignment) {
    return (offset + alignment - 1) / alignment * alignment;
}

static char *
copied(const UA_String *text) {
    char *copy = calloc(text->length + 1, 1);
    memcpy(copy, text->data, text->length);
    return copy;
}

UA_StatusCode
learnStructure(const char *name, const UA_NodeId dataType, const UA_StructureDefinition *definition) {
    UA_DataType *type = calloc(1, sizeof *type);
    UA_DataTypeMember *members = calloc(definition->fieldsSize, sizeof *members);
    size_t size = 0, widest = 1;
    for(size_t i = 0; i < definition->fieldsSize; i++) {
        const UA_StructureField *field = &definition->fields[i];
        UA_Boolean itself = UA_NodeId_equal(&field->dataType, &dataType);
        const UA_DataType *of = itself ? type : UA_findDataTypeWithCustom(&field->dataType, newest);
        if(!of)
            return UA_STATUSCODE_BADDATATYPEIDUNKNOWN; /* the program ends soon: nothing is freed */
        UA_Boolean isArray = field->valueRank >= 1;
        size_t own = isArray || field->isOptional ? sizeof(void *) : of->memSize;
        size_t alignment = isArray || field->isOptional ? _Alignof(void *) : alignmentOf(of);
        size_t start = upTo(size, alignment);
        members[i].memberName = copied(&field->name);
        members[i].memberType = of;
        members[i].padding = (UA_Byte)(start - size);
        members[i].isArray = isArray;
        members[i].isOptional = field->isOptional;
        size = start + own + (isArray ? sizeof(size_t) : 0);
        widest = alignment > widest ? alignment : widest;
    }
    UA_String copy = UA_STRING((char *)(uintptr_t)name);
    type->typeName = copied(&copy);
    UA_NodeId_copy(&dataType, &type->typeId);
    UA_NodeId_copy(&definition->defaultEncodingId, &type->binaryEncodingId);
    type->memSize = (UA_UInt32)upTo(size, widest);
    type->typeKind = definition->structureType == UA_STRUCTURETYPE_STRUCTUREWITHOPTIONALFIELDS
                         ? UA_DATATYPEKIND_OPTSTRUCT
                         : UA_DATATYPEKIND_STRUCTURE;
    type->membersSize = definition->fieldsSize;
    type->members = members;
    keep(type);
    return UA_STATUSCODE_GOOD;
}
