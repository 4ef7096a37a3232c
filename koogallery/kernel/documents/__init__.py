"""Documents as PDF: bills, invoices, statements, evidence; described as data, typeset by Typst (decision 0015).

describing     what a document says            typesetting     from there to the bytes of a PDF
document.typ   how every document looks
"""

from koogallery.kernel.documents.describing import Column, Document, Fact, Party, Table

__all__ = ["Column", "Document", "Fact", "Party", "Table"]
