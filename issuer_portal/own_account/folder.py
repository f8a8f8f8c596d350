"""The folder's blueprint."""

from flask import Blueprint

blueprint = Blueprint("own_account", __name__, url_prefix="/mon-compte", template_folder="templates")
