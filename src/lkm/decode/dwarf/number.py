# SPDX-License-Identifier: MIT
"""The numbers of DWARF that are used here.

Source: DWARF Debugging Information Format, version 5, chapter 7; what only version 4 and before have, and the
GNU extensions in use, from include/dwarf2.def of GNU binutils.
"""


class Tag:
    """DW_TAG_*."""

    ARRAY = 0x01
    FORMAL_PARAMETER = 0x05
    LEXICAL_BLOCK = 0x0B
    MEMBER = 0x0D
    POINTER = 0x0F
    COMPILE_UNIT = 0x11
    STRUCTURE = 0x13
    TYPEDEF = 0x16
    UNION = 0x17
    INLINED_SUBROUTINE = 0x1D
    SUBRANGE = 0x21
    CONST = 0x26
    SUBPROGRAM = 0x2E
    VARIABLE = 0x34
    VOLATILE = 0x35
    RESTRICT = 0x37
    ATOMIC = 0x47


class At:
    """DW_AT_*."""

    SIBLING = 0x01
    LOCATION = 0x02
    NAME = 0x03
    BYTE_SIZE = 0x0B
    STMT_LIST = 0x10
    LOW_PC = 0x11
    HIGH_PC = 0x12
    COMP_DIR = 0x1B
    CONST_VALUE = 0x1C
    UPPER_BOUND = 0x2F
    ABSTRACT_ORIGIN = 0x31
    COUNT = 0x37
    DATA_MEMBER_LOCATION = 0x38
    DECL_FILE = 0x3A
    DECLARATION = 0x3C
    SPECIFICATION = 0x47
    TYPE = 0x49
    RANGES = 0x55
    CALL_COLUMN = 0x57
    CALL_FILE = 0x58
    CALL_LINE = 0x59
    STR_OFFSETS_BASE = 0x72
    ADDR_BASE = 0x73
    RNGLISTS_BASE = 0x74
    LOCLISTS_BASE = 0x8C


class Form:
    """DW_FORM_*."""

    ADDR = 0x01
    BLOCK2, BLOCK4 = 0x03, 0x04
    DATA2, DATA4, DATA8 = 0x05, 0x06, 0x07
    STRING = 0x08
    BLOCK, BLOCK1 = 0x09, 0x0A
    DATA1 = 0x0B
    FLAG = 0x0C
    SDATA = 0x0D
    STRP = 0x0E
    UDATA = 0x0F
    REF_ADDR = 0x10
    REF1, REF2, REF4, REF8 = 0x11, 0x12, 0x13, 0x14
    REF_UDATA = 0x15
    INDIRECT = 0x16
    SEC_OFFSET = 0x17
    EXPRLOC = 0x18
    FLAG_PRESENT = 0x19
    STRX, ADDRX = 0x1A, 0x1B
    REF_SUP4 = 0x1C
    STRP_SUP = 0x1D
    DATA16 = 0x1E
    LINE_STRP = 0x1F
    REF_SIG8 = 0x20
    IMPLICIT_CONST = 0x21
    LOCLISTX, RNGLISTX = 0x22, 0x23
    REF_SUP8 = 0x24
    STRX1, STRX2, STRX3, STRX4 = 0x25, 0x26, 0x27, 0x28
    ADDRX1, ADDRX2, ADDRX3, ADDRX4 = 0x29, 0x2A, 0x2B, 0x2C


# Bytes of a form; what depends on the unit (addresses, offsets) is added where units are read.
FIXED = {
    Form.DATA1: 1, Form.DATA2: 2, Form.DATA4: 4, Form.DATA8: 8, Form.DATA16: 16,
    Form.REF1: 1, Form.REF2: 2, Form.REF4: 4, Form.REF8: 8, Form.REF_SIG8: 8,
    Form.REF_SUP4: 4, Form.REF_SUP8: 8,
    Form.FLAG: 1, Form.FLAG_PRESENT: 0, Form.IMPLICIT_CONST: 0,
    Form.STRX1: 1, Form.STRX2: 2, Form.STRX3: 3, Form.STRX4: 4,
    Form.ADDRX1: 1, Form.ADDRX2: 2, Form.ADDRX3: 3, Form.ADDRX4: 4,
}  # fmt: skip
OFFSETS = {Form.STRP, Form.SEC_OFFSET, Form.LINE_STRP, Form.STRP_SUP}
ULEB = {Form.UDATA, Form.REF_UDATA, Form.STRX, Form.ADDRX, Form.LOCLISTX, Form.RNGLISTX}
STRX = {Form.STRX, Form.STRX1, Form.STRX2, Form.STRX3, Form.STRX4}
ADDRX = {Form.ADDRX, Form.ADDRX1, Form.ADDRX2, Form.ADDRX3, Form.ADDRX4}
