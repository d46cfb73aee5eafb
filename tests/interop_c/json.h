/* Values as JSON. open62541 1.4 has that too, but not for structures with optional fields; bytes of a structure that it
 * does not know it tells as they are, which is no JSON; and what has only zeros in a list it tells as null. Simple
 * values are told by it. */
#ifndef JSON_H
#define JSON_H

#include <open62541/types.h>

#include <stdio.h>

/* A value of any DataType: structures with all their fields by name, optional ones that are left out as null; a Variant
 * as Type (its built-in type's number) and Body; a decoded structure in a Variant or ExtensionObject as TypeId and Body,
 * one of an unknown type as TypeId and Encoded, in base64. Ends the program if it cannot. */
void
tell(FILE *where, const void *value, const UA_DataType *type);

#endif
