/* DataTypes that open62541 does not ship, laid out as the server's DataTypeDefinitions say. */
#ifndef TYPES_H
#define TYPES_H

#include <open62541/types.h>

/* All that was learnt so far, for decoding. */
const UA_DataTypeArray *
learnt(void);

/* What its fields are of has to be known already, or is the structure itself.
 *
 * @param name of the DataType
 * @param dataType its NodeId, which the definition does not have
 * @return BadDataTypeIdUnknown for a field of an unknown type. */
UA_StatusCode
learnStructure(const char *name, const UA_NodeId dataType, const UA_StructureDefinition *definition);

#endif
