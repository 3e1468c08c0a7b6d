"""The same tasks inside Rubin's middleware: real `lsst.pipe.base.PipelineTask`s. Needs the extra ``lsst``."""
