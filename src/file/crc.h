/* CRC-32 as ZIP has it: libdeflate's where it is built in, else a table. */
#ifndef GRAFT__FILE_CRC_H
#define GRAFT__FILE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what went before (0 at the start) continued by size bytes. */
uint32_t graft__crc32(uint32_t crc, const void *bytes, size_t size);

#endif
