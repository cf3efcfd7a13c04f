/* doc_bytes.h - what is done to a text before libyaml sees it. */
#ifndef CONF_DOC_BYTES_H
#define CONF_DOC_BYTES_H

#include "diag.h"
#include "segmentd/buf.h"

/* A buffer's maximum for doc_file_read(). */
#define DOC_FILE_MAX (DOC_SIZE_MAX + (1 << 17))

/* The bytes of a file; one larger than DOC_SIZE_MAX is cut somewhere beyond
 * it. Errors: SG_IO, with errno as it was; SG_NOMEM. */
SG_MUSTCHECK enum sg_err
doc_file_read(const char *path, struct buf *bytes);

/* UTF-8, and nothing in it that editors and YAML disagree about? SG_BAD_CONFIG
 * if not: the diags say where. */
SG_MUSTCHECK enum sg_err
doc_check_bytes(struct conf_diags *diags, const struct diag_source *source);

#endif
